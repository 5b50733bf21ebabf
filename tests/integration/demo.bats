#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The bundled program with the leak: what the README shows must be what comes out, on every Python.

load common

@test "the demo's program keeps what its own weak references say" {
	local python
	while read -r python; do
		echo "$python"
		run plain "$python" "$FIXTURES/demo/minitel.py"
		[ "$status" -eq 0 ]
		[ "$output" = "5 tenants served and shut down; 10 of their 10 parts are still alive" ]
	done < <(pythons)
}

@test "the demo's program: both leaks, their owners, holders and sites" {
	local python
	while read -r python; do
		echo "$python"
		run preloaded "$python" "$FIXTURES/demo/minitel.py"
		[ "$status" -eq 0 ]
		[ "$output" = "5 tenants served and shut down; 10 of their 10 parts are still alive" ]
		assert_json '([.findings[] | [.rule, .level, .count]] | sort) == [["FH001", "error", 5], ["FH002", "error", 5]]'
		assert_json '[.findings[].bytes] | all(. > 5 * 256 * 1024)'
		assert_json '[.objects[] | select(.verdict == "joint" and .type == "PeriodicReader")] | length == 5'
		assert_json '[.objects[] | select(.verdict == "fork-only" and .type == "SpanProcessor")] | length == 5'
		assert_json '[.objects[] | select(.type == "PeriodicReader").holders[] |
			select(.kind == "class-attribute").path] | length == 5 and
			all(. == ["module __main__", ".Provider", "._all_readers", "{set item}"])'
		assert_json '[.findings[].site | [(.function | sub("^.*\\."; "")), (.file | sub("^.*/"; ""))]] |
			all(. == ["__init__", "minitel.py"])'
		drop_reports
	done < <(pythons)
}

@test "the demo's program: show and check tell the same findings" {
	local python
	python=$(newest_python)
	preloaded "$python" "$FIXTURES/demo/minitel.py"
	run "$FORKHELD_BIN" show "$(report)"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *FH001*SpanProcessor* ]]
	[[ $output == *FH002*PeriodicReader* ]]
	[[ $output == *_all_readers* ]]
	run "$FORKHELD_BIN" check "$(report)"
	echo "$output"
	[ "$status" -eq 1 ]
	[ "$(grep -c '^FH00[12] \|FH00[12]' <<<"$output")" -ge 2 ]
}

@test "forkheld run leaves the demo's report where it is told to, and the program's status alone" {
	run "$FORKHELD_BIN" run -o "$BATS_TEST_TMPDIR/here.json" -- "$(newest_python)" "$FIXTURES/demo/minitel.py"
	[ "$status" -eq 0 ]
	assert_json '.findings | length == 2' "$BATS_TEST_TMPDIR/here.json"
}
