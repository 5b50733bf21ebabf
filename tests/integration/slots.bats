#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# FH005: what the static data of C fork handlers alone keeps. tests/fixtures/native/registry.c says what its cases are.

load common

native=${BUILD_ROOT:-}/tests/fixtures/native

# registry CASE [PROGRAM] - run it; its status must be what it is without the library.
registry() {
	drop_reports
	local expected=0 status=0
	plain "$native/${2:-registry}" "$1" || expected=$?
	preloaded "$native/${2:-registry}" "$1" || status=$?
	[ "$status" -eq "$expected" ]
	all_read
}

# all_read - the code of all handlers was understood; skips where none can be.
all_read() {
	jq -e '.capabilities[] | select(.name == "native.retention") | .state == "full"' "$(report)" >/dev/null && return
	[[ $(uname -m) =~ ^(x86_64|aarch64)$ ]] || skip_because "handlers' code is read on x86-64 and aarch64 only"
	ldconfig -p | grep -q libcapstone || glibc_only "no libcapstone"
	ldconfig -p | grep -q libcapstone || lacks "no libcapstone"
	jq '.capabilities[] | select(.name == "native.retention")' "$(report)"
	false
}

# As compiled for debugging, optimised, and at a fixed address.
programs=(registry registry_fast registry_fixed)

@test "a list that only handler and registering code use: each of 100 blocks, and the right slot" {
	local program
	for program in "${programs[@]}"; do
		registry lost "$program"
		assert_json '[.findings[] | [.rule, .level, .count, .bytes, .registrations]] == [["FH005", "error", 100, 4000, [0]]]'
		assert_json '[.blocks[] | [.bytes, .strength, .slot.symbol, .slot.readers, .registrations]] | unique
			== [[40, "strong", "lost", [], [0]]]'
		assert_json '.summary.blocks.fork_only == 100 and .summary.blocks.fork_only_bytes == 4000'
		assert_json '[.blocks[].id] == [range(100)] and .findings[0].blocks == [range(100)]'
	done
}

@test "the path to a block, and where it was allocated" {
	registry lost registry_fast
	# The list's head leads to the last one made; the link to the next stands at 24.
	assert_json '.blocks[0].holder == {block: null, offset: 0}'
	assert_json '[.blocks[1:][] | .holder.block == .id - 1 and .holder.offset == 24] | all'
	assert_json '.blocks[0].allocated as $id | [.frames[.stacks[$id].frames[]].symbol]
		| (.[0] | startswith("register_lost")) and index("main") > 0'
	registry tree
	assert_json '[.findings[] | [.level, .count, .bytes]] == [["error", 200, 104000]]'
	assert_json '[.blocks[] | select(.bytes == 1000) | .holder.offset] | unique == [32]'
}

@test "a block that leads to many: each once, where the first pointer to it stands" {
	local program
	for program in "${programs[@]}"; do
		registry wide "$program"
		assert_json '[.findings[] | [.level, .count, .bytes]] == [["error", 101, 5608]]'
		assert_json '.blocks[0].holder == {block: null, offset: 0}'
		assert_json '[.blocks[1:][].holder] == [range(100) | {block: 0, offset: (16 * .)}]'
		assert_json '.registrations[0].frees.native_bytes == 5608'
	done
}

@test "pointers into the middle lead to a block as well" {
	local program
	for program in "${programs[@]}"; do
		registry inner "$program"
		assert_json '[.findings[] | [.rule, .level, .count]] == [["FH005", "error", 100]]'
		assert_json '[.blocks[].slot.symbol] | unique == ["inner"]'
	done
}

@test "ordinary code that reads the list, or calls what the handler calls, makes it a note and is named" {
	local program
	for program in "${programs[@]}"; do
		registry read "$program"
		assert_json '[.findings[] | [.rule, .level, .count]] == [["FH005", "note", 100]]'
		assert_json '[.blocks[] | [.strength, .slot.symbol, .slot.readers]] | unique == [["weak", "shared", ["read_shared"]]]'
		registry called "$program"
		assert_json '[.findings[] | [.rule, .level, .count]] == [["FH005", "note", 100]]'
		assert_json '[.blocks[] | [.strength, .slot.symbol, .slot.readers]] | unique == [["weak", "walked", ["main"]]]'
	done
}

@test "what the program knows of otherwise is not found, nor what has been freed" {
	local program case
	for program in "${programs[@]}"; do
		for case in named told empty; do
			registry $case "$program"
			assert_json '.findings == [] and .blocks == [] and .summary.blocks.fork_only == 0'
		done
	done
}

@test "without symbols nobody can tell whose a slot is: a note" {
	command -v strip >/dev/null || lacks "no strip"
	strip -o stripped "$native/registry_fast"
	preloaded ./stripped lost
	assert_json '[.findings[] | [.rule, .level, .count]] == [["FH005", "note", 100]]'
	assert_json '[.blocks[] | .slot | [.symbol, .readers]] | unique == [[null, [null]]]'
}

@test "the limit of the list, and what is read of it" {
	preloaded FORKHELD_OPTIONS=limit=10 "$native/registry" lost
	assert_json '(.blocks | length) == 10 and .limits.blocks_dropped == 90 and .findings[0].count == 100'
	assert_json '.findings[0].blocks == [range(10)]'
	forkheld show "$(report)"
	[ "$status" -eq 0 ]
	[[ $output == *"FH005 fork-only-block"*"100 blocks"*"lost in registry"* ]]
	forkheld check "$(report)"
	[ "$status" -eq 1 ]
}

# frees CASE - what each registration would free alone, in [], and all blocks' bytes together.
frees() {
	registry "$1" accounts
	jq -c '[[.registrations[].frees.native_bytes], .summary.blocks.fork_only_bytes]' "$(report)"
}

@test "what goes with one registration alone: its own data's blocks, not those of several" {
	[ "$(frees own)" = '[[400,800],1200]' ]
	assert_json '[.findings[] | [.rule, .level, .count, .bytes, .registrations]]
		== [["FH005", "error", 20, 800, [1]], ["FH005", "error", 10, 400, [0]]]'
	[ "$(frees phases)" = '[[1200],1200]' ]
	[ "$(frees child)" = '[[400,800],2200]' ]
	forkheld why "$(report)" r1
	[[ $output == *"frees alone  0 objects, 0 bytes, 800 bytes native"* ]]
}

@test "what several registrations work with goes with none of them alone" {
	[ "$(frees shared)" = '[[0,0],400]' ]
	[ "$(frees twice)" = '[[0,0],400]' ]
	[ "$(frees linked)" = '[[400,0,0],1200]' ]
}

@test "nor does what ordinary code reads, also where a list of the handler's alone leads to it" {
	[ "$(frees readable)" = '[[400,0],1200]' ]
	assert_json '[.findings[] | [.level, .count]] | sort == [["error", 10], ["note", 20]]'
	[ "$(frees both)" = '[[400,0],2200]' ]
	# Of the block that both lead to nobody may say that handlers alone keep it.
	assert_json '[.blocks[] | select(.bytes == 1000) | [.strength, .slot.symbol, .slot.readers]] == [["weak", "noted", ["read_noted"]]]'
	assert_json '[.findings[] | [.level, .count]] | sort == [["error", 10], ["note", 21]]'
}

@test "why: a slot by name, a block by its place, with the path that leads there and who reads the slot" {
	registry tree registry_fast
	local file
	file=$(report)
	forkheld why "$file" lost
	[ "$status" -eq 0 ]
	grep -qE '^slot  lost in registry_fast  at \+0x[0-9a-f]+  strong$' <<<"$output"
	grep -q '^  holds        200 blocks, 104 KB$' <<<"$output"
	grep -q '^  used by      handle_lost in registry_fast  child (r0)$' <<<"$output"
	grep -q '^  also read by nothing but fork handlers' <<<"$output"
	[ "$(grep -c '^slot' <<<"$output")" -eq 1 ]
	[ "$(grep -c '^block b' <<<"$output")" -eq 20 ]
	grep -q '^and 180 more' <<<"$output"
	# The third: behind the first one's second pointer.
	forkheld why "$file" b2
	[ "$(sed -n '/^  path/,/^  allocated/p' <<<"$output" | grep -c -- '->')" -eq 2 ]
	grep -q '^  path         lost in registry_fast+0 -> b0$' <<<"$output"
	grep -qE '^               b0\+32  40 bytes of .* -> b2$' <<<"$output"
	grep -q '^  allocated ' <<<"$output"
	# The slot is not said by a block's id alone.
	forkheld why "$file" b200
	[ "$status" -eq 1 ]
	forkheld why -n 3 "$file" registry_fast
	[ "$(grep -c '^block b' <<<"$output")" -eq 3 ]
	[ "$(grep -c '^registration' <<<"$output")" -eq 1 ]
	forkheld why --no-symbols "$file" "$(jq -r '.findings[0].fingerprint' "$file")"
	grep -q '^FH005' <<<"$output"
	[ "$(grep -c '^block b' <<<"$output")" -eq 20 ]
	registry read registry
	forkheld why "$(report)" shared
	grep -q '^  also read by read_shared$' <<<"$output"
	# By the function that allocated it; none of these registers.
	forkheld why --no-symbols "$(report)" 'register_share*'
	[ "$(grep -c '^block b' <<<"$output")" -eq 20 ]
	registry named registry
	forkheld why "$(report)" lost
	[ "$status" -eq 1 ]
}

# thunk KIND CASE - run it, as registry does; 77: this kind cannot be made here.
thunk() {
	drop_reports
	local expected=0 status=0
	plain "$native/thunk" "$@" || expected=$?
	[ "$expected" -ne 77 ] || return 77
	preloaded "$native/thunk" "$@" || status=$?
	[ "$status" -eq "$expected" ]
	all_read
}

# by_hand - there are kinds of closures that the program makes itself.
by_hand() {
	[ "$(uname -m)" = x86_64 ] || skip_because "the closures made by hand are x86-64's"
}

# thunks KIND - all cases of it.
thunks() {
	local case
	thunk "$1" lost
	assert_json '[.findings[] | [.rule, .level, .count, .bytes]] == [["FH005", "error", 10, 400]]'
	assert_json '[.blocks[] | .slot | [.kind, .symbol, .readers]] | unique == [["closure", "handle", []]]'
	assert_json '.blocks[0].holder.block == null and .registrations[0].frees.native_bytes == 400'
	forkheld why "$(report)" handle
	grep -q '^slot  closure of handle in thunk  strong$' <<<"$output"
	grep -qE '^  path         closure of handle in thunk\+(40|48) -> b0$' <<<"$output"
	forkheld show "$(report)"
	[[ $output == *"closure of handle in thunk"* ]]
	thunk "$1" itself
	assert_json '[.findings[] | [.rule, .level, .count, .bytes]] == [["FH005", "error", 10, 400]]'
	thunk "$1" many
	assert_json '[.findings[] | select(.rule == "FH005") | [.rule, .level, .count, .bytes]] == [["FH005", "error", 10, 400]]'
	for case in closure code list idle noted notedheap; do
		thunk "$1" $case
		assert_json '.findings == [] and .blocks == [] and .registrations[0].frees.native_bytes == 0'
	done
	thunk "$1" two
	assert_json '[.findings[] | [.count, .registrations]] == [[20, [0, 1]]] and ([.registrations[].frees.native_bytes] == [400, 400])'
	thunk "$1" twice
	assert_json '[.findings[] | [.level, .count]] == [["error", 10]] and ([.registrations[].frees.native_bytes] == [0, 0])'
}

@test "what only the closure of a handler leads to: libffi's own" {
	glibc_only "its table of handlers is not known from other data"
	plain "$native/thunk" real list || [ $? -ne 77 ] || lacks "no libffi"
	thunks real
}

@test "what only the closure of a handler leads to: code beside a page of parameters, and code of early libffi" {
	glibc_only "its table of handlers is not known from other data"
	by_hand
	thunks table
	thunks early
}

@test "a closure in memory of the program's own is known by where that begins: whoever does may have its blocks" {
	by_hand
	local case
	for case in lost itself closure code list; do
		thunk inside $case
		assert_json '.findings == [] and .blocks == []'
	done
}

@test "a closure in memory of the program's own that it knows nothing of any more" {
	glibc_only "its table of handlers is not known from other data"
	by_hand
	thunk inside gone
	assert_json '[.findings[] | [.rule, .level, .count]] == [["FH005", "error", 10]]'
	# Of two pages the program has forgotten the first one.
	thunk inside two
	assert_json '[.findings[] | [.rule, .level, .count, .registrations]] == [["FH005", "error", 10, [0]]]'
	assert_json '[.registrations[].frees.native_bytes] == [400, 0]'
}

# nested PROGRAM
nested() {
	preloaded "$native/$1" data || [ $? -eq 10 ]
	all_read
	assert_json '[.findings[] | [.rule, .level, .count]] == [["FH005", "error", 10]]'
	assert_json '[.blocks[].slot | [.kind, .symbol]] | unique == [["data", "lost"]]'
	drop_reports
	preloaded "$native/$1" frame || [ $? -eq 10 ]
	assert_json '.findings == [] and .blocks == []'
	assert_json '.capabilities[] | select(.name == "native.retention") | .state == "full"'
}

@test "a nested function: its own data, but not what the function around it holds" {
	[ -x "$native/nested" ] || skip_because "no nested functions with this compiler"
	nested nested
}

@test "a nested function whose code is not on the stack" {
	[ -x "$native/nested_mapped" ] || skip_because "this compiler puts it on the stack"
	nested nested_mapped
}

@test "a handler of Python's ctypes: Python keeps what is behind it" {
	local python
	python=$(newest_python)
	[ -n "$python" ] || glibc_only "no Python of it here"
	[ -n "$python" ] || lacks "no Python"
	preloaded "$python" "$FIXTURES/native/thunks.py"
	all_read
	assert_json '[.findings[] | select(.rule == "FH005")] == [] and .blocks == []'
	assert_json '[.registrations[] | select(.kind == "native") | .frees.native_bytes] == [0]'
}

@test "code in nobody's module that is not understood is said, and nothing of it" {
	by_hand
	thunk_unknown() { preloaded "$native/thunk" unknown "$1" || [ $? -eq 0 ]; }
	thunk_unknown lost
	assert_json '.capabilities[] | select(.name == "native.retention") | .state == "partial" and (.reason | test("could not be read"))'
	assert_json '.findings == [] and .registrations[0].frees.native_bytes == null'
}

@test "stock programs with handlers: nothing to find" {
	local tried=0
	# What is here; the suite stock installs them and uses them for real.
	stock() {
		same_libc "$1" || return 0
		tried=$((tried + 1))
		drop_reports
		preloaded FORKHELD_OPTIONS=report=always "$@" >out 2>&1 </dev/null || { cat out; return 1; }
		nothing_found
	}
	stock gnutls-cli --list
	stock p11-kit list-modules
	stock git --version
	stock perl -e 'print 1'
	stock systemctl --version
	stock node -e 'console.log(1)'
	stock redis-server --version
	[ $tried -gt 0 ] || glibc_only "no programs of it here"
	[ $tried -gt 0 ] || lacks "none of the programs"
}
