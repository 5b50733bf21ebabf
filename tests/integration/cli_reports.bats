#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the command line makes of reports: sample ones written by hand, and hostile ones.
load common

setup() {
	common_setup
	SAMPLES=$SOURCE_ROOT/tests/fixtures/reports
}

# forkheld ARGUMENT... - the program under test, its two outputs apart: $output, $stderr; and $status.
forkheld() {
	status=0
	output=$("$FORKHELD_BIN" "$@" 2>stderr) || status=$?
	stderr=$(cat stderr)
}

# never CMD... - CMD fails (errexit does not see what stands behind "!").
never() {
	if "$@"; then return 1; fi
}

# refused STATUS REASON - the last call ended with STATUS and said one line that has REASON.
refused() {
	[ "$status" -eq "$1" ] || { echo "status $status: $output $stderr"; return 1; }
	[ "$(wc -l <stderr)" -eq 1 ] || { echo "not one line: $stderr"; return 1; }
	[[ $stderr == *"$2"* ]] || { echo "no '$2' in: $stderr"; return 1; }
}

# changed FILTER - a sample with FILTER applied, as bad.json.
changed() {
	jq "$1" "$SAMPLES/${2:-joint.json}" >bad.json
}

# every_verb_refuses REASON - all that read a report give one line with bad.json and REASON, and status 3.
every_verb_refuses() {
	local verb
	for verb in show handlers why diff; do
		case $verb in
		why) forkheld why bad.json '*' ;;
		diff) forkheld diff "$SAMPLES/clean.json" bad.json ;;
		*) forkheld "$verb" bad.json ;;
		esac
		refused 3 "forkheld: bad.json: $1" || return 1
		[ -z "$output" ] || { echo "$verb: $output"; return 1; }
	done
	forkheld check bad.json
	refused 3 "forkheld: bad.json: $1"
	[[ $output == "SUMMARY reports=1 unusable=1 "*"status=3" ]]
}

@test "the samples are what the JSON Schema says" {
	/usr/bin/python3 -c 'import jsonschema' || skip "python3-jsonschema is not installed"
	for sample in "$SAMPLES"/*.json; do
		valid_report "$sample"
	done
}

@test "--help of every verb, and none needs a terminal" {
	for verb in run show why handlers diff export check doctor; do
		forkheld "$verb" --help
		[ "$status" -eq 0 ]
		[ -z "$stderr" ]
		[[ $output == "usage: forkheld $verb"*"--help"*"Exit status:"* ]]
	done
	forkheld --help
	[ "$status" -eq 0 ]
	[[ $output == *doctor*--version* ]]
	forkheld --version
	[ "$status" -eq 0 ]
	[[ $output =~ ^forkheld\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "a wrong command line: one line, status 2" {
	forkheld; refused 2 "no verb"
	forkheld sho; refused 2 "unknown verb 'sho'"
	for verb in show handlers why diff export check; do
		forkheld $verb; refused 2 "forkheld $verb: "
		forkheld $verb --nonsense x; refused 2 "unknown option '--nonsense'"
		forkheld $verb -Z x; refused 2 "unknown option '-Z'"
	done
	forkheld show -n; refused 2 "needs a value"
	forkheld show -n many x; refused 2 "'many' is not a number"
	forkheld show -n -3 x; refused 2 "'-3' is not a number"
	forkheld why only-one; refused 2 "needs a REPORT and a PATTERN"
	forkheld why a b c; refused 2 "more than"
	forkheld why -n x a b; refused 2 "not a number"
	forkheld handlers a b; refused 2 "more than one report"
	forkheld diff a; refused 2 "needs two reports"
	forkheld diff - -; refused 2 "only one"
	forkheld run; refused 2 "no command"
	forkheld run --nonsense true; refused 2 "unknown option"
	forkheld doctor; refused 2 "no command"
}

@test "missing, unreadable, empty, a directory, not JSON, truncated" {
	rm -f bad.json; every_verb_refuses "No such file or directory"
	: >bad.json; every_verb_refuses "is empty"
	printf ' \n\t' >bad.json; every_verb_refuses "is empty"
	rm bad.json; mkdir bad.json; every_verb_refuses "is a directory"; rmdir bad.json
	echo 'pid 12' >bad.json; every_verb_refuses "is not JSON"
	head -c 4000 /dev/urandom | tr -d '{[' >bad.json; every_verb_refuses "is not JSON"
	for size in 1 500 3000; do
		head -c $size "$SAMPLES/joint.json" >bad.json; every_verb_refuses "is truncated"
	done
	{ cat "$SAMPLES/clean.json"; echo x; } >bad.json; every_verb_refuses "is not JSON"
	ln -s bad.json loop; rm bad.json; ln -s loop bad.json; every_verb_refuses "Too many levels of symbolic links"
}

@test "a report that may not be read" {
	cp "$SAMPLES/clean.json" bad.json
	chmod 000 bad.json
	if [ "$(id -u)" -eq 0 ]; then
		command -v setpriv >/dev/null || skip "root reads everything"
		chmod 755 "$BATS_TEST_TMPDIR"
		status=0
		# Both the program and the directory may lie where only root goes.
		cp "$FORKHELD_BIN" ./forkheld && chmod 755 ./forkheld
		if ! setpriv --reuid 65534 --clear-groups ./forkheld --version; then skip "this directory is root's"; fi
		setpriv --reuid 65534 --clear-groups ./forkheld show bad.json 2>stderr || status=$?
		stderr=$(cat stderr)
	else
		forkheld show bad.json
	fi
	refused 3 "forkheld: bad.json: Permission denied"
}

@test "another schema, no schema, no object" {
	changed '.schema = "forkheld-report/2"'; every_verb_refuses "its schema is 'forkheld-report/2'"
	changed '.schema = 1'; every_verb_refuses "not a report"
	changed 'del(.schema)'; every_verb_refuses "not a report"
	changed '[.]'; every_verb_refuses "not a report"
	echo '{}' >bad.json; every_verb_refuses "not a report"
}

@test "wrong types and missing fields name the place" {
	changed '.objects[1].holders[0].path = "x"'; every_verb_refuses "objects[1].holders[0].path: is not an array"
	changed '.objects[1].holders[0].path[1] = 7'; every_verb_refuses "objects[1].holders[0].path[1]: is not a string"
	changed '.objects[0] = 3'; every_verb_refuses "objects[0]: is not an object"
	changed '.objects = {}'; every_verb_refuses "objects: is not an array"
	changed 'del(.objects)'; every_verb_refuses "objects: is missing"
	changed '.process = null'; every_verb_refuses "process: is null"
	changed '.snapshot.complete = "yes"'; every_verb_refuses "snapshot.complete: is not true or false"
	changed '.findings[0].count = "5"'; every_verb_refuses "findings[0].count: is not an integer"
	changed '.findings[0].count = 1.5'; every_verb_refuses "findings[0].count: is not an integer"
	changed '.findings[0].bytes = -1'; every_verb_refuses "findings[0].bytes: is negative"
	changed '.findings[0].level = "fatal"'; every_verb_refuses "findings[0].level: 'fatal' is not a known value"
	changed '.findings[0].level = null'; every_verb_refuses "findings[0].level: is null"
	changed '.registrations[0].phases = ["after"]'; every_verb_refuses "registrations[0].phases[0]: is not a phase"
	changed '.registrations[0].kind = "perl"'; every_verb_refuses "registrations[0].kind: 'perl'"
	changed '.capabilities[0].state = "some"'; every_verb_refuses "capabilities[0].state"
	changed '.notes = [1]'; every_verb_refuses "notes[0]: is not a string"
}

@test "duplicate ids and dangling references name the place" {
	changed '.objects[1].id = .objects[0].id'; every_verb_refuses "objects: id 12 occurs twice"
	changed '.registrations += [.registrations[0]]'; every_verb_refuses "registrations: id 0 occurs twice"
	changed '.frames[0].id = .frames[1].id'; every_verb_refuses "frames: id 1 occurs twice"
	changed '.stacks[0].frames[0] = 99'; every_verb_refuses "stacks[0].frames[0]: there is no frame with id 99"
	changed '.registrations[0].stack = 99'; every_verb_refuses "registrations[0].stack: there is no stack with id 99"
	changed '.registrations[0].owners[0] = 99'; every_verb_refuses "registrations[0].owners[0]: there is no object with id 99"
	changed '.registrations[0].owner.object = 99'; every_verb_refuses "registrations[0].owner.object: there is no object"
	changed '.objects[0].registrations = [77]'; every_verb_refuses "objects[0].registrations[0]: there is no registration"
	changed '.objects[0].holders[1].registration = 77'; every_verb_refuses "objects[0].holders[1].registration: there is no"
	changed '.findings[0].objects = [5555]'; every_verb_refuses "findings[0].objects[0]: there is no object"
	changed '.findings[0].blocks = [0]'; every_verb_refuses "findings[0].blocks[0]: there is no block"
	changed '.forks.handlers[0].registration = 9'; every_verb_refuses "forks.handlers[0].registration: there is no"
	changed '.frames[0].module = 9' native.json; every_verb_refuses "frames[0].module: there is no module"
	changed '.registrations[0].callables[0].module = 9' native.json; every_verb_refuses "registrations[0].callables[0].module"
}

@test "hostile JSON: nesting, huge numbers, invalid UTF-8, NUL, doubled keys" {
	{ printf '{"schema":'; head -c 200000 /dev/zero | tr '\0' '['; } >bad.json
	every_verb_refuses "line 1: nested too deep"
	{ printf '{"a":%.0s' {1..5000}; } >bad.json; every_verb_refuses "line 1: nested too deep"
	sed 's/"count": 2,$/"count": 99999999999999999999,/' "$SAMPLES/joint.json" >bad.json
	never cmp -s bad.json "$SAMPLES/joint.json"; every_verb_refuses "line "
	[[ $stderr == *"a number is too big"* ]]
	sed 's/"count": 2,$/"count": 1e999,/' "$SAMPLES/joint.json" >bad.json; every_verb_refuses "line "
	[[ $stderr == *"a number is too big"* ]]
	LC_ALL=C sed 's/app.pool/app\xff\xfepool/' "$SAMPLES/joint.json" >bad.json; every_verb_refuses "line "
	[[ $stderr == *"not valid UTF-8"* ]]
	LC_ALL=C sed 's/app.pool/app\xed\xa0\x80/' "$SAMPLES/joint.json" >bad.json; every_verb_refuses "line "
	sed 's/app.pool/app\\u0000pool/' "$SAMPLES/joint.json" >bad.json; every_verb_refuses ""
	printf '{"schema":"forkheld-report/1","schema":"x"}' >bad.json; every_verb_refuses "line 1: duplicate"
	head -c 4096 /dev/zero >bad.json; every_verb_refuses "is not JSON"
}

@test "the largest numbers are added without overflow" {
	jq '.findings[].bytes = 9223372036854775807 | .findings[].count = 9223372036854775807 |
		.objects[].retained_bytes = 9223372036854775807 | .objects[].retained_objects = 9223372036854775807 |
		.registrations[].frees.bytes = 9223372036854775807 |
		.registrations[].callables[].line = 9223372036854775807' "$SAMPLES/joint.json" |
		sed 's/922337203685477[0-9]*\(e+18\)\?/9223372036854775807/; s/9\.2233720368547[0-9]*e+18/9223372036854775807/' >big.json
	grep -q 9223372036854775807 big.json
	forkheld show big.json; [ "$status" -eq 0 ]
	[[ $output == *"9.2 EB"* ]]
	forkheld check big.json; [ "$status" -eq 1 ]
	forkheld why big.json '*'; [ "$status" -eq 0 ]
	forkheld diff big.json "$SAMPLES/joint.json"; [ "$status" -eq 0 ]
	forkheld diff "$SAMPLES/joint.json" big.json; [ "$status" -eq 1 ]
}

@test "text of a report cannot drive a terminal, nor make lines of its own" {
	jq '.findings[].message = "a\u001b[31mb\nSUMMARY status=0\u009b31m\u202e\u007f" | .objects[].type = "T\u001b]0;x\u0007" |
		.process.exe = "/bin/\u001b[2J" | .notes = ["\u001bc"]' "$SAMPLES/joint.json" >evil.json
	for verb in "show evil.json" "check evil.json" "why evil.json *" "handlers evil.json" "diff $SAMPLES/clean.json evil.json"; do
		# shellcheck disable=SC2086
		set -f; forkheld $verb; set +f
		LC_ALL=C never grep -q -P '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae' <<<"$output$stderr"
	done
	forkheld check evil.json
	[ "$(grep -c '^SUMMARY' <<<"$output")" -eq 1 ]
	[[ $output == *'a\x1b[31mb\nSUMMARY status=0\u009b31m\u202e\x7f'* ]]
	forkheld show $'no\nsuch\e[31mfile'
	refused 3 'forkheld: no\nsuch\x1b[31mfile: No such file'
}

@test "colour: on a terminal only, not with NO_COLOR" {
	command -v script >/dev/null || skip "no script(1) to make a terminal"
	forkheld show "$SAMPLES/joint.json"
	[[ $output != *$'\e['* ]]
	TERM=xterm script -qec "'$FORKHELD_BIN' show '$SAMPLES/joint.json'" /dev/null </dev/null >coloured
	grep -q $'\e\\[' coloured
	NO_COLOR=1 TERM=xterm script -qec "'$FORKHELD_BIN' show '$SAMPLES/joint.json'" /dev/null </dev/null >plain
	never grep -q $'\e\\[' plain
	TERM=dumb script -qec "'$FORKHELD_BIN' show '$SAMPLES/joint.json'" /dev/null </dev/null >dumb
	never grep -q $'\e\\[' dumb
}

@test "standard input as -" {
	for verb in show handlers check; do
		status=0
		"$FORKHELD_BIN" $verb - <"$SAMPLES/clean.json" >out || status=$?
		[ "$status" -eq 0 ]
	done
	"$FORKHELD_BIN" why - Pool <"$SAMPLES/joint.json" | grep -q 'object #20'
	"$FORKHELD_BIN" diff - "$SAMPLES/clean.json" <"$SAMPLES/clean.json"
	status=0
	"$FORKHELD_BIN" show - </dev/null 2>stderr || status=$?
	stderr=$(cat stderr)
	refused 3 "forkheld: standard input: is empty"
}

@test "a full disk is said, not swallowed" {
	[ -c /dev/full ] || skip "no /dev/full"
	status=0
	"$FORKHELD_BIN" show "$SAMPLES/joint.json" >/dev/full 2>stderr || status=$?
	stderr=$(cat stderr)
	refused 3 "forkheld: standard output: No space left on device"
	status=0
	"$FORKHELD_BIN" check --json "$SAMPLES/clean.json" >/dev/full 2>stderr || status=$?
	[ "$status" -eq 3 ]
}

@test "show: counts, suspects, the way out" {
	forkheld show "$SAMPLES/fork-only.json"
	[ "$status" -eq 0 ]
	grep -q '^FH001 fork-only-object  3fa91c    5 objects of one signature, 1.9 MB in 410 objects would be freed$' <<<"$output"
	grep -q '^  registered   BatchSpanProcessor.__init__ *opentelemetry/sdk/trace/export/__init__.py:207   child, 5 times$' <<<"$output"
	grep -q '^  fork handler method BatchSpanProcessor._at_fork_reinit$' <<<"$output"
	grep -q '^     .__self__  .*BatchSpanProcessor *retains 1.9 MB, 5 of them$' <<<"$output"
	grep -q '^        ._exporter  .*OTLPSpanExporter  retains 1.0 MB, 5 of them$' <<<"$output"
	grep -q '^  also held by nothing (modules, classes, threads, frames, C references looked at)$' <<<"$output"
	grep -q '^  fix  *register one module-level handler over a WeakSet' <<<"$output"
}

@test "show: FH002 says why removing the registration is not enough" {
	forkheld show "$SAMPLES/joint.json"
	[ "$status" -eq 0 ]
	grep -A1 '^  removing the registrations alone frees 0 bytes, because$' <<<"$output" |
		grep -q 'class-attribute *module opentelemetry.sdk.metrics._internal.MeterProvider._all_metric_readers {set item}  (2 times)$'
	grep -q '^FH002 joint-retention (note)  a0a0a1' <<<"$output"
	grep -q "^note: options: unknown key 'colour'$" <<<"$output"
	# Most bytes first.
	[ "$(grep -o '77c0de\|a0a0a1' <<<"$output" | head -n 1)" = 77c0de ]
}

@test "show: what could not be looked at is not silence" {
	forkheld show "$SAMPLES/incomplete.json"
	[ "$status" -eq 0 ]
	grep -q '^incomplete: the analysis took longer than 60 seconds$' <<<"$output"
	# No sums of what was not analysed.
	[[ $output == *"held by fork registrations alone"* ]]
	jq '.capabilities[3].state = "none"' "$SAMPLES/incomplete.json" >none.json
	forkheld show none.json
	[[ $output != *"held by fork registrations alone"* ]]
	forkheld show "$SAMPLES/partial.json"
	grep -q '^python.retention: partial, 812 objects were frozen by gc.freeze()$' <<<"$output"
	jq '.capabilities[3].state = "partial"' "$SAMPLES/fork-only.json" >partial.json
	forkheld show partial.json
	grep -q '^  also held by nothing that could be looked at (python.retention is partial)$' <<<"$output"
}

@test "show: native findings, several reports, -n and --all" {
	forkheld show "$SAMPLES/native.json"
	grep -q '^FH005 fork-only-block  0d0d05    1 block, 64 KB would be freed$' <<<"$output"
	grep -q '^  registered   plugin_init *libplugin.so+0x1234   before, parent, child$' <<<"$output"
	grep -q '^  slot *registry in libplugin.so  holds 64 KB (strong)$' <<<"$output"
	forkheld show -n 1 "$SAMPLES/native.json"
	[ "$(grep -c '^FH' <<<"$output")" -eq 1 ]
	grep -q '^and 2 more (--all shows them)$' <<<"$output"
	jq '.findings = [range(30) as $i | .findings[1] + {fingerprint: "f0000\($i)"}]' "$SAMPLES/native.json" >many.json
	forkheld show many.json
	[ "$(grep -c '^FH' <<<"$output")" -eq 10 ]
	forkheld show --all many.json
	[ "$(grep -c '^FH' <<<"$output")" -eq 30 ]
	forkheld show "$SAMPLES/clean.json" missing.json "$SAMPLES/native.json"
	refused 3 "missing.json"
	[[ $output == *clean.json:*native.json:* ]]
}

@test "why: objects by type, id and glob, with every holder" {
	forkheld why "$SAMPLES/joint.json" '#12'
	[ "$status" -eq 0 ]
	grep -q '^object #12  .*PeriodicExportingMetricReader  joint$' <<<"$output"
	grep -q '^  held by      4 direct references: 2 from outside, 2 of its own circle$' <<<"$output"
	[ "$(grep -c '^     outside ' <<<"$output")" -eq 2 ]
	[ "$(grep -c '^     own ' <<<"$output")" -eq 2 ]
	grep -q '^     outside  fork-registration  .*__self__  (r0)$' <<<"$output"
	grep -q '^  freed by .*both$' <<<"$output"
	forkheld why "$SAMPLES/joint.json" app.pool.Pool
	grep -q '^object #20  app.pool.Pool  in-use$' <<<"$output"
	grep -q 'module-attribute   module app.pool$' <<<"$output"
	grep -q '^  freed by     no removal of a fork registration: it is in use' <<<"$output"
	forkheld why "$SAMPLES/joint.json" '*MetricReader'
	[ "$(grep -c '^object' <<<"$output")" -eq 2 ]
	forkheld why -n 1 "$SAMPLES/joint.json" '*MetricReader'
	[ "$(grep -c '^object' <<<"$output")" -eq 1 ]
	grep -q '^and 1 more' <<<"$output"
	jq '.objects[0].holders_dropped = 36' "$SAMPLES/joint.json" >many.json
	forkheld why many.json '#12'
	grep -q '^  held by      40 direct references: .*, 36 not listed$' <<<"$output"
}

@test "why: registrations by id, callable, module and site; findings by fingerprint" {
	forkheld why "$SAMPLES/joint.json" r2
	[ "$status" -eq 0 ]
	grep -q '^registration r2  before, parent, child  python, strong$' <<<"$output"
	grep -q '^  before       function Pool.__init__.<locals>.<lambda>  app.pool  app/pool.py:9  called 2 times$' <<<"$output"
	grep -q '^  owner        #20 app.pool.Pool  in-use$' <<<"$output"
	for pattern in 'Cache.reset' 'app.cache' 'app.cache.Cache.reset' 'app.cach?'; do
		forkheld why "$SAMPLES/joint.json" "$pattern"
		[ "$status" -eq 0 ]
		grep -q '^registration r3' <<<"$output"
	done
	for pattern in 'pool.py:8' 'app/pool.py' 'Pool.__init__' '*/__init__.py:475'; do
		forkheld why "$SAMPLES/joint.json" "$pattern"
		[ "$status" -eq 0 ]
		grep -q '^registration r' <<<"$output"
	done
	forkheld why "$SAMPLES/native.json" lock_all
	grep -q '^registration r0  before, parent, child  native' <<<"$output"
	grep -q 'plugin_init *libplugin.so+0x1234' <<<"$output"
	forkheld why "$SAMPLES/native.json" libplugin.so
	[ "$(grep -c '^registration' <<<"$output")" -eq 4 ]
	forkheld why "$SAMPLES/joint.json" 77c0de
	grep -q '^FH002' <<<"$output"
	[ "$(grep -c '^object' <<<"$output")" -eq 2 ]
	[ "$(grep -c '^registration' <<<"$output")" -eq 2 ]
}

@test "why: blocks of reports that tell less, or go round in circles" {
	forkheld why "$SAMPLES/native.json" registry
	[ "$status" -eq 0 ]
	grep -q '^slot  registry in libplugin.so  at +0x40  strong$' <<<"$output"
	grep -q '^block b0  64 KB  fork-only$' <<<"$output"
	[[ $output != *" path "* && $output != *"also read by"* ]]
	jq '.blocks[0] |= (.slot += {readers: ["read_it", null], readers_dropped: 3} | .holder = {block: 0, offset: 8})
		' "$SAMPLES/native.json" >circle.json
	forkheld why circle.json b0
	[ "$status" -eq 0 ]
	grep -q '^  also read by read_it, perhaps others (no symbol says) and 3 more$' <<<"$output"
	[ "$(grep -c -- '-> b0$' <<<"$output")" -eq 1 ]
	jq '.blocks = [range(30) as $i | .blocks[0] + {id: $i, holder: {block: (if $i > 0 then $i - 1 else null end), offset: 16}}]
		| .findings[0].blocks = [] | .limits.blocks_dropped = 5' "$SAMPLES/native.json" >long.json
	forkheld why long.json b29
	[ "$(grep -c -- '-> b' <<<"$output")" -eq 16 ]
	grep -q '^               and 14 more$' <<<"$output"
	grep -q '^  holds        30 blocks, 1.9 MB, as far as they are listed$' <<<"$output"
	forkheld why long.json b30
	refused 1 "does not list all blocks"
	jq '.blocks[0].holder = {block: 7, offset: 0}' "$SAMPLES/native.json" >bad.json
	forkheld why bad.json b0
	refused 3 "blocks[0].holder.block"
	jq '.blocks[0].slot.readers = [1]' "$SAMPLES/native.json" >bad.json
	forkheld why bad.json b0
	refused 3 "blocks[0].slot.readers[0]"
}

@test "why: nothing found is status 1" {
	for pattern in '#99' r99 Nothing '#' r '' '[' '#12x'; do
		forkheld why "$SAMPLES/joint.json" "$pattern"
		refused 1 "nothing matches"
	done
}

@test "handlers: run order, flags, the removed last" {
	forkheld handlers "$SAMPLES/native.json"
	[ "$status" -eq 0 ]
	[ "$(grep -o '\br[0-9]\b' <<<"$output" | tr '\n' ' ')" = "r3 r1 r0 r0 r0 r3 r2 " ]
	grep -q '^4 registrations, 3 forks$' <<<"$output"
	grep -q 'r1 .* inherited$' <<<"$output"
	grep -q 'r3 .* marked$' <<<"$output"
	grep -A2 '^removed' <<<"$output" | grep -q 'r2 .*removed=dlclose$'
	forkheld handlers "$SAMPLES/joint.json"
	[ "$(grep -o '\br[0-9]\b' <<<"$output" | tr '\n' ' ')" = "r2 r2 r0 r1 r2 r3 " ]
	grep -q 'r2 .* max=5.0 us$' <<<"$output"
	grep -q 'r3 .*site unknown' <<<"$output"
}

@test "handlers: Python's run outside the C library's" {
	jq -s '.[0] as $a | .[1] | .registrations |= map(.id += 10 | .sequence += 1 | .removed = null) |
		.registrations = [$a.registrations[2] | .owner = null | .owners = [] | .stack = null] + .registrations |
		.forks.handlers = [] | .blocks = [] | .findings = []' "$SAMPLES/joint.json" "$SAMPLES/native.json" >mixed.json
	forkheld handlers mixed.json
	[ "$status" -eq 0 ]
	[ "$(grep -o '\br[0-9]*\b' <<<"$output" | tr '\n' ' ')" = "r2 r13 r11 r10 r10 r2 r10 r12 r13 r2 " ]
}

@test "diff: same, grew, shrank, new, gone" {
	forkheld diff "$SAMPLES/fork-only.json" "$SAMPLES/fork-only.json"
	[ "$status" -eq 0 ]
	[ "$output" = "SUMMARY new=0 grew=0 same=1 shrank=0 gone=0 bytes=1900000" ]
	forkheld diff "$SAMPLES/fork-only.json" "$SAMPLES/fork-only-grown.json"
	[ "$status" -eq 1 ]
	grep -q '^grew    FH001 3fa91c count=5->7 (+2) bytes=1900000->2660000 (+760000)' <<<"$output"
	forkheld diff "$SAMPLES/fork-only-grown.json" "$SAMPLES/fork-only.json"
	[ "$status" -eq 0 ]
	grep -q '^shrank  FH001' <<<"$output"
	forkheld diff "$SAMPLES/clean.json" "$SAMPLES/joint.json"
	[ "$status" -eq 1 ]
	[ "$(grep -c '^new ' <<<"$output")" -eq 2 ]
	forkheld diff "$SAMPLES/joint.json" "$SAMPLES/clean.json"
	[ "$status" -eq 0 ]
	[ "$(grep -c '^gone ' <<<"$output")" -eq 2 ]
	jq '.findings[0].bytes += 1' "$SAMPLES/fork-only.json" >more.json
	forkheld diff "$SAMPLES/fork-only.json" more.json
	[ "$status" -eq 1 ]
}

@test "diff: an incomplete report gives no answer" {
	forkheld diff "$SAMPLES/incomplete.json" "$SAMPLES/clean.json"
	refused 3 "incomplete.json: incomplete: the analysis took longer"
	forkheld diff "$SAMPLES/clean.json" "$SAMPLES/incomplete.json"
	refused 3 "incomplete.json: incomplete"
}

@test "show: packages from their name on, and the nearest code of the reader's own" {
	jq '.frames = [range(8) as $i | {id: $i, kind: "python", function: "f\($i)", line: ($i + 1),
			file: "/opt/v/lib/python3.11/site-packages/pkg/m\($i).py"}] |
		.frames[5].file = "/usr/lib/python3.11/threading.py" | .frames[6].file = "/home/me/app.py" |
		.frames[7].file = "/home/me/main.py" | .stacks[0].frames = [range(8)]' "$SAMPLES/fork-only.json" >deep.json
	forkheld show deep.json
	[ "$status" -eq 0 ]
	grep -q '^  registered   f0  *pkg/m0.py:1   child, 5 times$' <<<"$output"
	grep -q '^  called from  f1  *pkg/m1.py:2$' <<<"$output"
	grep -q '^  *f3  *pkg/m3.py:4$' <<<"$output"
	grep -q '^  *f6  */home/me/app.py:7$' <<<"$output"
	never grep -q ' f[457] ' <<<"$output"
	forkheld handlers deep.json
	grep -q ' pkg/m0.py:1$' <<<"$output"
	for pattern in 'pkg/m0.py:1' '*/site-packages/pkg/m0.py:1' 'm0.py'; do
		forkheld why deep.json "$pattern"
		[ "$status" -eq 0 ]
	done
}
