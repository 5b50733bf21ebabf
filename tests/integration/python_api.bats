#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Asking from inside by ctypes: snapshots, the baseline, and what `forkheld diff` makes of two of them.

load common

each_python() {
	local python
	for python in $(pythons); do
		echo "$python $*"
		rm -f ./*.json*
		"$@"
	done
}

# labelled LABEL - the report with it.
labelled() {
	grep -l "\"label\": *\"$1\"" ./*.json
}

api() {
	local version
	run preloaded FORKHELD_OUTPUT=snap.%n.json "$python" "$FIXTURES/python/ledger/api.py"
	[ "$status" -eq 0 ]
	[[ ${lines[0]} =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]
	[ "${lines[*]:1}" = "0 0 0 0 0" ]
	[ "$(echo snap.*.json)" = "snap.1.json snap.2.json snap.3.json snap.4.json snap.5.json snap.6.json" ]
	# What was there when the baseline was made is listed and gives no finding; what came later does.
	assert_json '.snapshot | .trigger == "api" and .label == "marked" and .sequence == 1 and .complete' snap.1.json
	assert_json '.findings == [] and .summary.fork_only.bytes >= 1048576' snap.1.json
	assert_json '[.findings[] | [.rule, .count]] == [["FH001", 1]]' snap.2.json
	assert_json '.snapshot.label == "holding" and .snapshot.sequence == 2' snap.2.json
	assert_json '[.findings[] | [.rule, .count]] == [["FH001", 1]]' snap.3.json
	assert_json '.snapshot.label == "thread" and ([.findings[] | [.rule, .count]] == [["FH001", 2]])' snap.4.json
	assert_json '.snapshot.label == null and .snapshot.trigger == "api"' snap.5.json
	assert_json '.snapshot.trigger == "exit" and .snapshot.sequence == 6' snap.6.json
	assert_json '[.capabilities[] | select(.name | startswith("python.")) | .state] == ["full", "full"]' snap.4.json
	# Growth between snapshots: none between the second and the third, one owner between the third and the fourth.
	run "$FORKHELD_BIN" diff snap.2.json snap.3.json
	[ "$status" -eq 0 ]
	run "$FORKHELD_BIN" diff snap.3.json snap.4.json
	[ "$status" -eq 1 ]
	[[ $output == *FH001* ]]
	run "$FORKHELD_BIN" diff snap.4.json snap.3.json
	[ "$status" -eq 0 ]
	run "$FORKHELD_BIN" check snap.2.json snap.4.json
	[ "$status" -eq 1 ]
	run "$FORKHELD_BIN" check snap.1.json
	[ "$status" -eq 0 ]
}

@test "snapshots with and without the GIL, from threads; the baseline; growth" { each_python api; }

names() {
	run preloaded "$python" "$FIXTURES/python/ledger/api.py"
	[ "$status" -eq 0 ]
	[ "$(find . -name 'forkheld.*.json' | wc -l)" -eq 1 ]
	[ "$(find . -name 'forkheld.*.json.[1-5]' | wc -l)" -eq 5 ]
}

@test "without %n no report is overwritten" { each_python names; }

why() {
	preloaded "$python" "$FIXTURES/python/situations/named_by_module.py"
	run "$FORKHELD_BIN" why ./forkheld.*.json Owner
	[ "$status" -eq 0 ]
	[[ $output == *in-use* || $output == *"in use"* ]]
	[[ $output == *__main__* ]]
	run "$FORKHELD_BIN" why ./forkheld.*.json NoSuchThing
	[ "$status" -eq 1 ]
	run "$FORKHELD_BIN" check ./forkheld.*.json
	[ "$status" -eq 0 ]
}

@test "why explains an object in use, which gives no finding" { each_python why; }

forked() {
	# A snapshot in a fork's child, and by a thread while the main thread holds the GIL in a long computation.
	preloaded FORKHELD_OUTPUT=f.%p.%n.json "$python" -c 'import ctypes, os, threading
library = ctypes.CDLL(None)
child = os.fork()
if child == 0:
    os._exit(library.forkheld_snapshot(b"child"))
assert os.waitpid(child, 0)[1] == 0
done = []
def look():
    done.append([library.forkheld_snapshot(b"busy") for _ in range(5)])
threads = [threading.Thread(target=look) for _ in range(4)]
for thread in threads: thread.start()
while len(done) < 4: sum(range(1000))
assert done == [[0] * 5] * 4, done'
	[ "$(grep -l '"label": *"child"' f.*.json | wc -l)" -eq 1 ]
	[ "$(grep -l '"label": *"busy"' f.*.json | wc -l)" -eq 20 ]
	[ "$(jq -s '[.[] | select(.snapshot.complete)] | length' f.*.json)" -eq "$(find . -name 'f.*.json' | wc -l)" ]
}

@test "snapshots in a child and by several threads at once" { each_python forked; }
