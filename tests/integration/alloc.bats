#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The table of live blocks, held against models and against programs that are hard on it.

load common

alloc=${BUILD_ROOT:-}/tests/fixtures/alloc

# hooked [NAME=VALUE...] CMD... - with the copy of the library whose table can be asked.
hooked() {
	alone LD_PRELOAD="$alloc/libforkheld_hooked.so" "$@"
}

# as_without WAY... - odd prints the same without the library, with it, and with the table looking over its shoulder.
as_without() {
	local expected
	run plain "$alloc/odd" "$@"
	expected=$output
	[ "$status" -eq 3 ]
	run preloaded "$alloc/odd" "$@"
	echo "with: $output"
	[ "$status" -eq 3 ] && [ "$output" = "$expected" ]
	run hooked "$alloc/odd" "$@"
	echo "looking: $output"
	[ "$status" -eq 3 ] && [ "$output" = "$expected" ]
}

@test "ten million operations in four threads: no block lost, none made up" {
	run hooked "$alloc/torture" "${TORTURE_SEED:-1}" "${TORTURE_OPERATIONS:-10000000}" 4
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *": 0 lost, 0 phantom" ]]
}

@test "signal handlers that allocate in the middle of the library" {
	run alone LD_PRELOAD="$alloc/libforkheld_hooked.so $alloc/pages.so" "$alloc/torture" 2 200000 4 handlers
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output =~ ,\ [1-9][0-9]*\ interruptions,.*:\ 0\ lost,\ 0\ phantom$ ]]
}

@test "blocks of constructors that run before the library's" {
	as_without early
	[ "$output" = recorded ]
}

@test "threads with stacks of 16 KiB" {
	as_without stacks
}

@test "forks from between busy threads: each child's table is right" {
	as_without forks
	[ "$output" = "200 good children" ]
}

@test "what a vfork's child allocates is its parent's" {
	as_without vforks
	[ "$output" = done ]
}

@test "an address space that ends" {
	as_without limit
	needs_same_libc bash
	run preloaded bash -c "ulimit -v 30000; exec '$alloc/odd' errors"
	echo "$output"
	[ "$output" = "99 1 1 1 22 1" ]
}

@test "a program that has closed all descriptors keeps its numbers" {
	as_without closed
	[ "$output" = "first descriptor 0" ]
}

@test "blocks that come or go unseen" {
	as_without foreign
}

@test "a plugin that allocates, loaded and unloaded 200 times" {
	as_without plugins "$alloc/early_plugin.so"
	[ "$output" = done ]
}

@test "refusals and errno are the real function's" {
	as_without errors
}

@test "on a signal stack" {
	as_without signal-stack
}

@test "switched off, the library notes nothing and the host runs" {
	run preloaded FORKHELD_OPTIONS=alloc=off "$alloc/odd" forks
	[ "$status" -eq 3 ] && [ "$output" = "200 good children" ]
	run hooked FORKHELD_OPTIONS=alloc=off "$alloc/odd" early
	[ "$output" = "not recorded" ]
	run hooked FORKHELD_OPTIONS=alloc=python "$alloc/odd" early
	[ "$output" = "not recorded" ]
}

@test "no block begins with an address that glibc has left there; what is none stays" {
	glibc_only "it leaves none"
	run plain MALLOC_PERTURB_=0 "$alloc/odd" links
	echo "without: $output"
	[[ $output == *left* ]]
	run preloaded MALLOC_PERTURB_=0 FORKHELD_OPTIONS=alloc=off "$alloc/odd" links
	echo "switched off: $output"
	[[ $output == *left* ]]
	run preloaded MALLOC_PERTURB_=0 "$alloc/odd" links
	echo "with: $output"
	[ "$status" -eq 3 ] && [[ $output != *left* ]]
	as_without perturbed
	[ "$output" = there ]
}

@test "sampling: a block is recorded as often as its size says" {
	run hooked "$alloc/odd" sample
	[ "$output" = all ]
	run hooked FORKHELD_OPTIONS=sample=1000 "$alloc/odd" sample
	[ "$output" = "a tenth" ]
}

@test "under valgrind, which takes malloc for itself, the host runs" {
	command -v valgrind >/dev/null || skip "no valgrind"
	needs_same_libc sqlite3
	run alone LD_PRELOAD="$FORKHELD_LIB" FORKHELD_OUTPUT="$BATS_TEST_TMPDIR/%e.json" valgrind -q --error-exitcode=9 \
		sqlite3 :memory: "create table t(x); insert into t values (6), (7); select sum(x) from t"
	echo "$output"
	[ "$status" -eq 0 ] && [ "$output" = 13 ]
	[ -s sqlite3.json ]
}

@test "C++ operators that go past malloc are said to be unseen" {
	run preloaded "$alloc/operator_user"
	[ "$status" -eq 0 ]
	run jq -r '.capabilities[] | select(.name == "blocks") | "\(.state) \(.reason)"' forkheld.*.json
	echo "$output"
	[[ $output == "partial C++'s operator new "* ]]
}

@test "a host whose runtime is not ready when it first allocates" {
	[ -x "$alloc/checked" ] || glibc_only "no ThreadSanitizer for it"
	[ -x "$alloc/checked" ] || skip "this compiler has no ThreadSanitizer"
	run plain "$alloc/checked"
	[ "$status" -eq 3 ]
	run preloaded "$alloc/checked"
	echo "$output"
	[ "$status" -eq 3 ]
	[ "$output" = allocated ]
}
