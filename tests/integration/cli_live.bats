#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Live blocks and allocation stacks of reports written by hand: show --live, and what show and why say of an object.
load common

setup() {
	common_setup
	SAMPLES=$SOURCE_ROOT/tests/fixtures/reports
	LIVE=$SAMPLES/live.json
}

# says LINE - the output has this line, blanks squeezed.
says() {
	tr -s ' ' <<<"$output" | sed 's/^ //; s/ $//' | grep -qxF -- "$1" || { printf 'no "%s" in:\n%s\n' "$1" "$output"; return 1; }
}

@test "totals, then sites: most bytes first, with count, age and one stack of Python and native calls" {
	forkheld show --live "$LIVE"
	[ "$status" -eq 0 ]
	says '2100 blocks live, 1.2 MB; native 75 KB, python 1.1 MB'
	grep -A2 '^1.1 MB in 2048 blocks  python, between 130 ms and 5.2 s old$' <<<"$output" | tail -n 2 | tr -s ' ' |
		diff - <(printf ' %s\n' 'allocated make_processor app.py:31' 'called from <module> app.py:40')
	grep -A4 '^70 KB in 17 blocks  native, 5.2 s old$' <<<"$output" | tail -n 4 | tr -s ' ' |
		diff - <(printf ' %s\n' 'allocated buffer_new fastlib.so+0x1234' 'called from ? fastlib.so+0x1388' \
			'load;all /srv/app/loader.py:12' 'main /srv/app/main.py:99')
	grep -A1 '^32 bytes in 1 block  native, 7 min old$' <<<"$output" | grep -q '^  allocated    site unknown$'
	[ "$(grep -c ' in [0-9]* blocks\?  ' <<<"$output")" -eq 4 ]
	says '7 sites that the report does not list: 900 bytes'
	says 'blocks.stacks: partial, libunwind is not installed'
	# Another order in the report is the same for the reader.
	jq '.allocations.sites |= reverse' "$LIVE" >reverse.json
	diff <("$FORKHELD_BIN" show --live "$LIVE") <("$FORKHELD_BIN" show --live reverse.json)
}

@test "-n, --all, --stacks" {
	forkheld show --live -n 1 "$LIVE"
	[ "$(grep -c ' in [0-9]* blocks\?  ' <<<"$output")" -eq 1 ]
	says 'and 3 more (--all shows them)'
	jq '.allocations.sites = [range(30) as $i | .allocations.sites[0] | .bytes = $i]' "$LIVE" >many.json
	forkheld show --live many.json
	[ "$(grep -c ' in 2048 blocks  ' <<<"$output")" -eq 10 ]
	forkheld show --live --all many.json
	[ "$(grep -c ' in 2048 blocks  ' <<<"$output")" -eq 30 ]
	# Nameless calls of one module are one row, unless the stack is wanted whole.
	forkheld show --live "$LIVE"
	says 'and 2 more'
	[ "$(grep -c libplain.so+ <<<"$output")" -eq 1 ]
	forkheld show --live --stacks "$LIVE"
	[ "$(grep -c libplain.so+ <<<"$output")" -eq 3 ]
}

@test "of a deep stack the nearest calls, and the reader's own code however far out" {
	jq '.frames = [range(40) as $i | {id: $i, kind: "python", function: "f\($i)", line: ($i + 1),
			file: "/opt/v/lib/python3.11/site-packages/pkg/m\($i).py"}] | .frames[30].file = "/home/me/app.py" |
		.frames[35].file = "/home/me/main.py" | .stacks = [range(4) as $i | {id: $i, frames: [range(40)]}]' "$LIVE" >deep.json
	forkheld show --live -n 1 deep.json
	says 'allocated f0 pkg/m0.py:1'
	says 'f9 pkg/m9.py:10'
	says 'f30 /home/me/app.py:31'
	[ "$(grep -c ' f[0-9]* ' <<<"$output")" -eq 11 ]
	says 'and 29 more'
	# What the interpreter does between an import and the module's code is left out.
	jq '.frames[1:9][].file = "<frozen importlib._bootstrap>"' deep.json >import.json
	forkheld show --live -n 1 import.json
	grep -A1 '^  allocated    f0 ' <<<"$output" | grep -q '^  called from  f9 '
	[[ $output != *importlib* ]]
	forkheld show --live -n 1 --stacks import.json
	[ "$(grep -c importlib <<<"$output")" -eq 8 ]
	forkheld show --live -n 1 --stacks deep.json
	[ "$(grep -c ' f[0-9]* ' <<<"$output")" -eq 40 ]
	if command -v script >/dev/null; then
		TERM=xterm script -qec "'$FORKHELD_BIN' show --live -n 1 deep.json" /dev/null </dev/null >coloured
		grep -qF $'\e[1m/home/me/app.py:31\e[0m' coloured
		grep -q 'pkg/m0.py:1' coloured
		[ "$(grep -cF $'\e[1mpkg/m0.py' coloured)" -eq 0 ]
	fi
}

@test "estimates are called so, and what was not recorded is said" {
	jq '.allocations.sample = 524288' "$LIVE" >sampled.json
	forkheld show --live sampled.json
	says 'about 2100 blocks live, 1.2 MB; native 75 KB, python 1.1 MB'
	says 'estimated: one allocation was recorded in about every 524 KB'
	jq '.allocations = null | (.capabilities[] | select(.name == "blocks")) |= (.state = "none" | .reason = "alloc=off")' \
		"$LIVE" >off.json
	forkheld show --live off.json
	[ "$status" -eq 0 ]
	says 'no live blocks are listed: they were not recorded'
	says 'blocks: none, alloc=off'
	forkheld show --live "$SAMPLES/incomplete.json"
	[ "$status" -eq 0 ]
	says 'incomplete: the analysis took longer than 60 seconds'
}

@test "a finding says where its owner was allocated, and the reader's own code behind it" {
	forkheld show "$LIVE"
	says 'allocated make_processor app.py:31 one of 2 places'
	jq '.findings[0].allocated.approximate = true | .findings[0].allocated.places = 1' "$LIVE" >approximate.json
	forkheld show approximate.json
	says "allocated make_processor app.py:31 (perhaps: an earlier object's place)"
	jq '.frames[1].file = "/opt/v/lib/python3.11/site-packages/pkg/make.py" | .frames[2].file = "/home/me/app.py" |
		.findings[0].allocated.places = 1' "$LIVE" >package.json
	forkheld show package.json
	grep -A1 '^  allocated    make_processor  *pkg/make.py:31$' <<<"$output" | tail -n 1 |
		grep -q '^  called from  <module>  */home/me/app.py:40$'
	# Without the finding's own word, its first object's.
	jq 'del(.findings[0].allocated)' "$LIVE" >without.json
	forkheld show without.json
	says 'allocated make_processor app.py:31'
	# Of a native stack, the first call outside of the libraries that allocate for others.
	jq '.modules[2].path = "/usr/lib/x86_64-linux-gnu/libc.so.6" | .stacks[3].frames = [6, 4] | .blocks[0].allocated = 3' \
		<(jq --slurpfile live "$LIVE" '.modules = $live[0].modules | .stacks = $live[0].stacks | .frames = $live[0].frames |
			.registrations[] |= (.stack = null | .native_stack = null | .callables[] |= (.module = null))' \
			"$SAMPLES/native.json") >native.json
	forkheld show native.json
	says 'allocated buffer_new fastlib.so+0x1234'
}

@test "why: size in blocks, stack and age of an object" {
	forkheld why "$LIVE" '#1'
	[ "$status" -eq 0 ]
	grep -q '^  size .* occupies 70 KB$' <<<"$output"
	grep -A3 '^  allocated    buffer_new  *fastlib.so+0x1234$' <<<"$output" | grep -q '^ *main  */srv/app/main.py:99$'
	says "objects of this type reuse memory: the stack may be an earlier one's"
	says 'age 130 ms old'
	forkheld why "$LIVE" '#0'
	says 'allocated make_processor app.py:31'
	[[ $output != *"reuse memory"* ]]
	forkheld why "$LIVE" '#2'
	[[ $output != *allocated* && $output != *" age "* && $output != *occupies* ]]
}

@test "a wrong command line: one line, status 2; a report that cannot be read: 3" {
	forkheld show --live; refused 2 "no report"
	forkheld show --stacks "$LIVE"; refused 2 "--stacks is for --live"
	forkheld show --live -n x "$LIVE"; refused 2 "'x' is not a number"
	forkheld show --live missing.json; refused 3 "missing.json: No such file"
	forkheld show --live "$LIVE" missing.json "$SAMPLES/clean.json"; refused 3 "missing.json"
	[[ $output == *live.json:*clean.json:* ]]
}

@test "wrong, dangling and hostile allocations name the place" {
	local filter reason verb
	while IFS='|' read -r filter reason; do
		jq "$filter" "$LIVE" >bad.json
		for verb in "show --live" "why" "export -f folded" "export -f pprof -o x"; do
			# shellcheck disable=SC2086
			if [ "$verb" = why ]; then forkheld why bad.json '*'; else forkheld $verb bad.json; fi
			refused 3 "forkheld: bad.json: $reason"
			[ -z "$output" ]
		done
	done <<-'CASES'
		.allocations = 3|allocations: is not an object
		.allocations.sites = null|allocations.sites: is null
		.allocations.sites[1] = 3|allocations.sites[1]: is not an object
		.allocations.sites[1].stack = 99|allocations.sites[1].stack: there is no stack with id 99
		.allocations.sites[1].kind = "perl"|allocations.sites[1].kind: 'perl' is not a known value
		.allocations.sites[1].count = -1|allocations.sites[1].count: is negative
		.allocations.sites[1].bytes = "x"|allocations.sites[1].bytes: is not an integer
		del(.allocations.sites[0].bytes)|allocations.sites[0].bytes: is missing
		.allocations.dropped = []|allocations.dropped: is not an object
		.objects[0].allocated = 99|objects[0].allocated: there is no stack
		.objects[0].allocated_approximate = 1|objects[0].allocated_approximate: is not true or false
		.findings[0].allocated.stack = 99|findings[0].allocated.stack: there is no stack
		.modules[0].base = -1|modules[0].base: is negative
	CASES
}

@test "the largest numbers are added without overflow, hostile text cannot drive a terminal" {
	jq '.allocations.sites[].bytes = 9223372036854775807 | .allocations.sites[].count = 9223372036854775807 |
		.allocations.sites[].oldest_ns = 9223372036854775807 | .allocations.native.bytes = 9223372036854775807 |
		.modules[].base = 9223372036854775807 | .frames[4].offset = 9223372036854775807' "$LIVE" |
		sed 's/922337203685477[0-9]*\(e+18\)\?/9223372036854775807/; s/9\.2233720368547[0-9]*e+18/9223372036854775807/' >big.json
	grep -q 9223372036854775807 big.json
	forkheld show --live big.json; [ "$status" -eq 0 ]
	[[ $output == *"9.2 EB"* && $output == *"days old"* ]]
	for format in folded speedscope pprof; do
		"$FORKHELD_BIN" export -f $format -o out big.json
		[ -s out ]
	done
	jq '.frames[].function = "f\u001b[31m\nx\u009b" | .frames[].symbol = "s\u001b]0;" | .modules[].path = "/\u001b[2J"' "$LIVE" >evil.json
	for verb in "show --live" "why" "export -f folded"; do
		if [ "$verb" = why ]; then
			forkheld why evil.json '*'
		else
			# shellcheck disable=SC2086
			forkheld $verb evil.json
		fi
		[ "$status" -eq 0 ]
		if LC_ALL=C grep -q -P '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' <<<"$output$stderr"; then return 1; fi
	done
}
