#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Live blocks by the place where they were allocated, what an object occupies, and the options about both.

load common

native=${BUILD_ROOT:-}/tests/fixtures/native
python=${FIXTURES:-}/python/allocations

# jq: functions on a stack, innermost first; the sites whose stacks go through a function.
stacks='def names($report): if . == null then [] else $report.stacks[.].frames
	| map($report.frames[.] | if .kind == "python" then .function else .symbol end) end;
	def through($name): . as $report | [.allocations.sites[] | . + {names: (.stack | names($report))}
	| select(.names | index($name))];'

# state CAPABILITY - its state and reason in the only report.
state() {
	jq_report ".capabilities[] | select(.name == \"$1\") | \"\\(.state) \\(.reason)\""
}

# sums - what always holds: the sites and the rest make the totals, which the summary repeats.
sums() {
	assert_json '.allocations as $all | ($all.sites + [$all.dropped]) as $parts
		| ($parts | map(.count) | add) == $all.native.count + $all.python.count
		and ($parts | map(.bytes) | add) == $all.native.bytes + $all.python.bytes
		and .summary.blocks.live == $all.native.count + $all.python.count
		and .summary.blocks.live_bytes == $all.native.bytes + $all.python.bytes
		and ($all.sites | map(.bytes)) == ($all.sites | map(.bytes) | sort | reverse)
		and ($all.sites | map(select(.oldest_ns < .newest_ns))) == []
		and ($all.sites | group_by([.stack, .kind]) | map(length) | max // 1) == 1'
}

@test "a C program's live blocks: stack, number and bytes of each place" {
	preloaded "$native/sites"
	sums
	assert_json "$stacks"' [through("many")[] | [.names[:3], .kind, .count]] == [[["one", "many", "main"], "native", 1000]]'
	assert_json "$stacks"' [through("one")[] | select(.names[1] == "main") | [.count, .bytes >= 5000 and .bytes < 5032]]
		== [[1, true]]'
	assert_json "$stacks"' [through("main")[] | select(.names[0] == "main") | [.count, .bytes >= 3000 and .bytes < 3032]]
		== [[1, true]]'
	assert_json "$stacks"' [through("half")[] | [.names[:2], .count, .bytes >= 100 * 1000 and .bytes < 100 * 1032]]
		== [[["half", "main"], 100, true]]'
	[ "$(state blocks)" = "full null" ]
	[ "$(state objects.stacks)" = "none no Python in this process" ]
}

@test "a program without a table of its unwind rules: the caller of malloc alone, by its name" {
	preloaded "$native/sites_bare"
	assert_json '. as $report | [.allocations.sites[] | select(.bytes > 100) | .stack | $report.stacks[.].frames[0]
		| $report.frames[.]] | length > 2 and all(.module != null) and any(.symbol == "one")'
}

@test "stacks that are the same as far as they are reported are one place" {
	preloaded "$native/sites"
	assert_json "$stacks"' [through("deep")[] | [(.names | length), .names[:2], .count]] == [[64, ["one", "deep"], 10]]'
	drop_reports
	preloaded FORKHELD_OPTIONS=frames=1 "$native/sites"
	sums
	assert_json "$stacks"' [through("one")[] | [.names, .count]] == [[["one"], 1011]] and .allocations.frames == 1'
	[ "$(state blocks.stacks)" = "partial option frames=1" ]
}

@test "as many places as the option says; the rest is summed up" {
	preloaded FORKHELD_OPTIONS=sites=2 "$native/sites"
	sums
	assert_json "$stacks"' [.allocations.sites[] | .count] == [1000, 100] and .allocations.sites_dropped >= 3
		and .allocations.dropped.count >= 12'
	drop_reports
	preloaded FORKHELD_OPTIONS=sites=0 "$native/sites"
	sums
	assert_json '.allocations.sites == [] and .allocations.native.count >= 1112 and .stacks == []'
}

@test "alloc=off: nothing, and it says so" {
	preloaded FORKHELD_OPTIONS=alloc=off /usr/bin/python3 "$python/sites.py" 1000
	assert_json '.allocations == null and .summary.blocks.live == null and .summary.blocks.live_bytes == null'
	assert_json '.snapshot.complete and [.objects[] | .allocated, .block_bytes, .age_ns] - [null] == []'
	[ "$(state blocks)" = "none option alloc=off" ]
	[ "$(state blocks.stacks)" = "none option alloc=off" ]
	[ "$(state objects.stacks)" = "none option alloc=off" ]
	"$FORKHELD_BIN" check "$(report)"
}

@test "alloc=native, alloc=python: one half each" {
	preloaded FORKHELD_OPTIONS=alloc=native /usr/bin/python3 "$python/sites.py" 1000
	sums
	assert_json '.allocations.python.count == 0 and .allocations.native.count > 10'
	[[ $(state blocks) == "partial option alloc=native"* ]]
	[ "$(state objects.stacks)" = "none option alloc=native" ]
	drop_reports
	preloaded FORKHELD_OPTIONS=alloc=python /usr/bin/python3 "$python/sites.py" 1000
	sums
	assert_json '.allocations.native.count == 0 and .allocations.python.count > 1000'
	[[ $(state blocks) == "partial option alloc=python"* ]]
	[ "$(state objects.stacks)" = "full null" ]
	drop_reports
	preloaded FORKHELD_OPTIONS=alloc=native "$native/sites"
	[ "$(state blocks)" = "full null" ]
	drop_reports
	preloaded FORKHELD_OPTIONS=alloc=python "$native/sites"
	assert_json '.allocations == null and .snapshot.complete'
	[[ $(state blocks) == "none "* ]]
}

@test "sample: of Python's objects too" {
	preloaded FORKHELD_OPTIONS=sample=16K:sites=1000000 "$(pythons | head -n 1)" -c 'kept = [object() for _ in range(200000)]'
	assert_json '[.allocations.sites[] | select(.kind == "python") | .bytes] | add | . > 4000000 and . < 14000000'
	assert_json '.summary.blocks.live > 150000'
}

@test "sample: estimates that are near, and said to be estimates" {
	preloaded FORKHELD_OPTIONS=sample=4K "$native/sites"
	sums
	# 109000 bytes in 1000 blocks: about 26 are recorded, so that four standard deviations are 80%.
	assert_json '.allocations.sample == 4096'
	assert_json "$stacks"' [through("many")[] | .bytes] | add | . > 109000 * 0.2 and . < 109000 * 1.8'
	[[ $(state blocks) == "partial option sample=4096: "* ]]
}

@test "Python objects and an extension's mallocs, by line, on every CPython" {
	local each things compress
	things=$(sed -n '/# things$/=' "$python/sites.py")
	compress=$(sed -n '/# native$/=' "$python/sites.py")
	while read -r each; do
		echo "$each"
		drop_reports
		preloaded FORKHELD_OPTIONS=sites=1000000 "$each" "$python/sites.py" 20000
		sums
		assert_json ". as \$report | [.allocations.sites[] | select(.stack != null)
			| . + {frames: [\$report.stacks[.stack].frames[] | \$report.frames[.]]}
			| . + {top: first(.frames[] | select(.kind == \"python\"))} | select(.top.file and (.top.file | endswith(\"sites.py\")))]
			| ([.[] | select(.top.line == $things and .kind == \"python\") | .count] | add) as \$things
			| ([.[] | select(.top.line == $compress and .kind == \"native\") | .count] | add) as \$native
			| \$things >= 20000 and \$things < 20100 and \$native >= 10"
		[ "$(state blocks)" = "full null" ]
		[ "$(state objects.stacks)" = "full null" ]
	done < <(pythons)
}

@test "block_bytes of an object: what is gone from the heap when it dies, for each of many types" {
	local each allocator
	while read -r each; do
		echo "$each"
		"${SCHEMA_PYTHON:-/usr/bin/python3}" "$python/check_occupied.py" "$each"
	done < <(pythons)
	for allocator in debug malloc malloc_debug; do
		echo "$allocator"
		"${SCHEMA_PYTHON:-/usr/bin/python3}" "$python/check_occupied.py" "$(newest_python)" "$allocator"
	done
}

@test "two reports of one process: a block's age grows, and what was made between them is younger" {
	cat >ages.py <<-'PYTHON'
	import ctypes, functools, os, time
	class Old: pass
	class Young: pass
	def nothing(each): pass
	os.register_at_fork(before=functools.partial(nothing, Old()))
	time.sleep(0.5)
	for _ in range(3000):  # the clock is not looked at at each allocation, but at these too, which need no malloc
	    Young()
	os.register_at_fork(before=functools.partial(nothing, Young()))
	ctypes.CDLL(None).forkheld_snapshot(b"one")
	time.sleep(0.3)
	ctypes.CDLL(None).forkheld_snapshot(b"two")
	os._exit(0)
	PYTHON
	preloaded /usr/bin/python3 ages.py
	jq -s -e 'map(select(.snapshot.label) | {key: .snapshot.label, value: ([.objects[] | {key: .type, value: .age_ns}] | from_entries)}) | from_entries
		| .one.Old > 0.5e9 and .one.Old < 5e9 and .one.Young < .one.Old and .two.Young > .one.Young + 0.29e9
		and .two.Old > .one.Old + 0.29e9' forkheld.*.json*
}
