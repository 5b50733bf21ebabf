#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Native stacks of allocations, judged by a fresh walk at every one or two allocations (tests/bench/tracecheck, which has the long run).

load common

@test "no recorded stack differs from a fresh walk, in real programs and on every kind of stack" {
	[ -e "$BUILD_ROOT/tests/fixtures/native/tracecheck.so" ]
	"$SOURCE_ROOT/tests/bench/tracecheck" "$BUILD_ROOT" 40 >counts.json
	cat counts.json
	jq -e 'all(.[]; .wrong == 0 and .longer == 0 and .shorter == 0 and .processes > 0)' counts.json
	# libunwind gives up at a frame that a signal interrupted, in a few of ten thousand.
	jq -e 'all(.[]; .interrupted * 500 <= .checked)' counts.json
	# Where libunwind is missing nothing is checked, and the reasons are on the programs' standard error.
	jq -e 'map(.checked) | add > 100000' counts.json
}

@test "a program on every kind of stack runs as it does without the library" {
	local kind
	for kind in omit keep plain; do
		run preloaded "$BUILD_ROOT/tests/fixtures/native/stacks_$kind" 300 "$BUILD_ROOT/tests/fixtures/native/stacks_plugin.so"
		echo "$output"
		[ "$status" -eq 0 ]
		[ -z "$output" ]
	done
}
