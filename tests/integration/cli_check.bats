#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# forkheld check: what passes, what fails, and what may not pass for want of knowledge.
load common

setup() {
	common_setup
	SAMPLES=$SOURCE_ROOT/tests/fixtures/reports
	cp "$SAMPLES"/*.json .
}

# check ARGUMENT... - $output, $stderr, $status, and the last line of $output as $summary.
check() {
	status=0
	output=$("$FORKHELD_BIN" check "$@" 2>stderr) || status=$?
	stderr=$(cat stderr)
	summary=$(tail -n 1 <<<"$output")
}

# gives STATUS COUNTS... - the last call's status, and each COUNT (failing=1) in its summary.
gives() {
	local wanted=$1 count
	shift
	for count in "status=$wanted" "$@"; do
		[[ " $summary " == *" $count "* ]] || { echo "no $count in: $summary ($stderr)"; return 1; }
	done
	[ "$status" -eq "$wanted" ]
}

refused() {
	[ "$status" -eq 2 ] || { echo "status $status"; return 1; }
	[[ $stderr == *"$1"* ]] && [ "$(wc -l <stderr)" -eq 1 ] || { echo "no '$1' in: $stderr"; return 1; }
	[ -z "$output" ]
}

@test "clean is 0, an error is 1, a warning or note is 0" {
	check clean.json; gives 0 errors=0 failing=0
	[ "$output" = "$summary" ]
	check fork-only.json; gives 1 errors=1 failing=1
	check native.json; gives 1 errors=2 warnings=1 failing=2
	check child.json; gives 0 notes=1 failing=0
	jq 'del(.findings[0])' dead-weak.json >warning.json
	check warning.json; gives 0 warnings=1 failing=0
}

@test "one line a finding over all reports, errors first, one SUMMARY line" {
	check child.json fork-only.json fork-only-grown.json dead-weak.json
	gives 1 reports=4 errors=2 warnings=1 notes=0
	[ "$(grep -c 3fa91c <<<"$output")" -eq 1 ]
	[ "$(grep -c '^SUMMARY' <<<"$output")" -eq 1 ]
	[ "${output%% *}" = error ]
	grep -q '^error   FH001 3fa91c count=7 bytes=2660000 reports=3 opentelemetry/sdk/trace/export/__init__.py:207: ' <<<"$output"
	grep -q '^warning FH003 deadbf count=5 bytes=0 reports=1 provider.py:55: ' <<<"$output"
}

@test "--fail-on: a level and worse, rules at any level, or both" {
	check --fail-on error child.json; gives 0
	check --fail-on warning dead-weak.json; gives 1 failing=2
	check --fail-on note child.json; gives 1 failing=1
	check --fail-on FH001 child.json; gives 1 failing=1
	check --fail-on FH002 fork-only.json; gives 0 errors=1 failing=0
	check --fail-on FH002,FH007 native.json; gives 1 failing=1
	check --fail-on FH001,error native.json; gives 1 failing=2
	check --fail-on FH001 --fail-on FH003 dead-weak.json; gives 1 failing=2
	for bad in fatal FH9 FH001,what '' ,; do
		check --fail-on "$bad" clean.json; refused "--fail-on"
	done
}

@test "incomplete, unreadable and missing reports are 3, before 1" {
	check incomplete.json; gives 3 unusable=1
	[ "$stderr" = "forkheld: incomplete.json: incomplete: the analysis took longer than 60 seconds" ]
	check fork-only.json missing.json; gives 3 reports=2 unusable=1 failing=1
	check incomplete.json fork-only.json; gives 3
	echo '{' >bad.json
	check clean.json bad.json; gives 3 unusable=1
}

@test "2 goes before 3 and 1" {
	check --fail-on what missing.json fork-only.json; refused "--fail-on"
	check --require what missing.json; refused "--require"
	check --suppressions missing.txt missing.json fork-only.json; refused "missing.txt: No such file"
	check; refused "no report"
	check --baseline; refused "needs a value"
}

@test "without --require: what a process with a Python needs" {
	check partial.json; gives 3 unusable=1
	[ "$stderr" = "forkheld: partial.json: python.retention is partial, not full: 812 objects were frozen by gc.freeze()" ]
	jq '.capabilities[2].state = "none"' clean.json >none.json
	check none.json; gives 3
	[[ $stderr == *"python.registrations is none, not full"* ]]
	jq 'del(.capabilities[2])' clean.json >absent.json
	check absent.json; gives 3
	[[ $stderr == *"python.registrations is none, not full: the report does not name it"* ]]
	# A process without Python does not lack it.
	check --fail-on FH001 native.json; gives 0
}

@test "--require: these and no others" {
	check --require native.registrations partial.json; gives 0
	check --require native.registrations,isolation --require native.stacks clean.json; gives 0
	check --require blocks clean.json; gives 3
	[[ $stderr == *"blocks is none, not full: not recorded by this version"* ]]
	check --require python.retention native.json; gives 3
	check --require '' clean.json; refused "--require"
	check --require native.registrations,colour clean.json; refused "no capability 'colour'"
}

@test "--baseline: known findings pass, new ones fail" {
	check --baseline fork-only.json fork-only.json; gives 0 baseline=1 errors=0
	check --baseline fork-only.json fork-only-grown.json; gives 0 baseline=1
	check --baseline fork-only.json fork-only.json joint.json; gives 1 baseline=1 failing=1
	check --baseline fork-only.json --baseline joint.json fork-only.json joint.json; gives 0 baseline=3
	check --baseline clean.json fork-only.json; gives 1
	# An inherited copy is a note: the parent's own finding must not hide behind it.
	check --baseline child.json fork-only.json; gives 1 failing=1
	check --baseline fork-only.json child.json; gives 0 baseline=1
}

@test "--baseline: a bad one is 3" {
	check --baseline missing.json clean.json; gives 3 unusable=1
	check --baseline incomplete.json clean.json; gives 3
	[[ $stderr == *"incomplete.json: incomplete"* ]]
	echo '[]' >bad.json
	check --baseline bad.json clean.json; gives 3
}

@test "--suppressions: accepted findings pass" {
	printf '# ours\n\n3fa91c  # the vendor was told\n' >accepted
	check --suppressions accepted fork-only.json; gives 0 suppressed=1 stale=0 unreviewed=0
	printf '3fa91c FH001 # the vendor was told' >accepted
	check --suppressions accepted fork-only.json joint.json; gives 1 suppressed=1 failing=1
	printf '3fa91c FH002 # another rule\n' >accepted
	check --suppressions accepted fork-only.json; gives 1 suppressed=0 stale=1
	printf '77c0de # a\na0a0a1 # b\r\n' >more
	check --suppressions accepted --suppressions more joint.json; gives 0 suppressed=2 stale=1
	: >empty
	check --suppressions empty fork-only.json; gives 1
}

@test "--suppressions: stale lines are named, and fail nothing" {
	printf '3fa91c  # yes\n\ndeadaa FH003  # was fixed\n' >accepted
	check --suppressions accepted fork-only.json; gives 0 stale=1
	grep -q '^stale   accepted:3: deadaa  # was fixed$' <<<"$output"
}

@test "--suppressions: a line without reason is refused, with its place" {
	printf '3fa91c\n' >bad; check --suppressions bad fork-only.json; refused "bad:1: has no reason"
	printf '# x\n3fa91c FH001 #  \n' >bad; check --suppressions bad fork-only.json; refused "bad:2: has no reason"
	printf 'a b c # x\n' >bad; check --suppressions bad fork-only.json; refused "bad:1: expected FINGERPRINT"
	printf '3fa91c heap # x\n' >bad; check --suppressions bad fork-only.json; refused "bad:1: the second word is not a rule"
	printf '3fa91c # a\0b\n' >bad; check --suppressions bad fork-only.json; refused "bad: is not a text file"
	check --suppressions . fork-only.json; refused "is a directory"
}

@test "--write-suppressions: makes a file that passes, and asks for reasons" {
	check --write-suppressions new joint.json native.json dead-weak.json
	[ "$status" -eq 0 ]
	[ "$(grep -c 'unreviewed:' new)" -eq 5 ]   # the heading names the word, the four errors carry it
	grep -q '^77c0de FH002  # unreviewed: 2 PeriodicExportingMetricReader objects' new
	[[ $stderr == *"4 suppressions written"* ]]
	check --suppressions new joint.json native.json dead-weak.json; gives 0 suppressed=4 unreviewed=4
	sed -i 's/unreviewed: .*/known/' new
	check --suppressions new joint.json native.json dead-weak.json; gives 0 suppressed=4 unreviewed=0
	[ "$(stat -c %a new)" = "$(printf %o $((0666 & ~$(umask))))" ]
}

@test "--write-suppressions: respects --fail-on and the baseline" {
	check --write-suppressions new --fail-on FH007 native.json; [ "$status" -eq 0 ]
	[ "$(grep -c '^0d0d' new)" -eq 1 ]
	check --write-suppressions other --baseline joint.json joint.json fork-only.json
	[ "$(grep -vc '^#' other)" -eq 1 ]
}

@test "--write-suppressions: keeps reasons, drops stale lines, never overwrites a stranger's" {
	printf '# our policy\n3fa91c  # the vendor was told\ndeadaa  # was fixed\n' >accepted
	check --write-suppressions accepted joint.json
	[ "$status" -eq 2 ]
	[[ $stderr == *"accepted: exists: give it with --suppressions too"* ]]
	[ "$(wc -l <accepted)" -eq 3 ]
	chmod 640 accepted
	ln -s accepted link
	check --suppressions accepted --write-suppressions link joint.json fork-only.json
	[ "$status" -eq 0 ]
	[ -L link ]
	[ "$(stat -c %a accepted)" = 640 ]
	printf '# our policy\n3fa91c  # the vendor was told\n' >expected
	head -n 2 accepted | cmp - expected
	[ "$(wc -l <accepted)" -eq 3 ]
	grep -q '^77c0de FH002  # unreviewed:' accepted
	[ "$(find . -name 'accepted?*' | wc -l)" -eq 0 ]
}

@test "--write-suppressions: nothing is written where findings may be missing, or cannot be" {
	check --write-suppressions new joint.json missing.json
	[ "$status" -eq 3 ]
	[ ! -e new ]
	check --write-suppressions no/such/place joint.json
	[ "$status" -eq 2 ]
	[[ $stderr == *"no/such/place: No such file or directory"* ]]
	check --write-suppressions . joint.json
	[ "$status" -eq 2 ]
	[[ $stderr == *"is not a regular file"* ]]
}

@test "--write-suppressions: a message cannot add a line" {
	jq '.findings[0].message = "x\ndeadbf # injected"' fork-only.json >evil.json
	check --write-suppressions new evil.json
	[ "$(grep -vc '^#' new)" -eq 1 ]
	check --suppressions new evil.json; gives 0 suppressed=1
}

@test "--json says the same" {
	printf '3fa91c  # told\ndeadaa # stale\n' >accepted
	check --json --suppressions accepted --baseline joint.json fork-only.json joint.json dead-weak.json
	[ "$status" -eq 1 ]
	jq -e '.schema == "forkheld-check/1" and .status == 1 and (.reports | length) == 3 and (.findings | length) == 5 and
		.summary.failing == 1 and .summary.suppressed == 1 and .summary.baseline == 2 and
		(.stale | length) == 1 and .stale[0].line == 2' <<<"$output"
	jq -e '.findings[] | select(.fingerprint == "3fa91c") |
		.state == "suppressed" and .reason == "told" and .reports == ["fork-only.json"] and .count == 5 and
		.bytes == 1900000 and .site.line == 207 and .level == "error"' <<<"$output"
	jq -e '.findings[] | select(.fingerprint == "deadbe") | .state == "fails"' <<<"$output"
	jq -e '.findings[] | select(.fingerprint == "deadbf") | .state == "passes"' <<<"$output"
	jq -e '.findings[] | select(.fingerprint == "77c0de") | .state == "baseline"' <<<"$output"
	check --json clean.json missing.json incomplete.json
	[ "$status" -eq 3 ]
	jq -e '.status == 3 and .reports[0].problem == null and .reports[1].problem == "unreadable" and
		(.reports[2].problem | startswith("incomplete"))' <<<"$output"
}
