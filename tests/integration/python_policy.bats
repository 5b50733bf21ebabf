#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Which Python processes leave a report, by the report option, and what ended them.

load common

LEDGER=$FIXTURES/python/ledger

# each_python FUNCTION [ARGUMENT...] - call it for each CPython, as $python, with no report left from the last.
each_python() {
	local python
	for python in $(pythons); do
		echo "$python $*"
		drop_reports
		"$@"
	done
}

# child_of KIND OWN [NAME=VALUE...] - run children.py; leaves the child's pid in $child.
child_of() {
	child=$(preloaded "${@:3}" "$python" "$LEDGER/children.py" "$1" $2)
	[[ $child =~ ^[0-9]+$ ]] || { echo "no pid: $child"; return 1; }
}

# A child that registered something of its own reports, and says how it ended.
own() {
	local child
	child_of "$1" own
	assert_json '.snapshot.trigger == "'"$2"'" and .snapshot.complete and .snapshot.isolation == "copy"' "forkheld.$child.json"
	assert_json '[.registrations[] | select(.kind == "python" and (.inherited | not))
		| select(.callables | any(.qualname == "handler" or .qualname == "f"))] | length == 1' "forkheld.$child.json"
	assert_json '[.capabilities[] | select(.name | startswith("python.")) | .state] == ["full", "full"]' "forkheld.$child.json"
	assert_json '.findings == []' "forkheld.$child.json"
}

# One that did not leaves nothing; its parent, the first of the tree, does.
silent() {
	local child
	child_of "$1" ""
	[ ! -e "forkheld.$child.json" ]
	[ "$(reports | wc -l)" -eq 1 ]
}

@test "multiprocessing's fork: a report by _exit if it registered" {
	each_python own fork _exit
	each_python silent fork
}

@test "multiprocessing's forkserver: a report by _exit if it registered" {
	each_python own forkserver _exit
	each_python silent forkserver
}

@test "multiprocessing's spawn: a report at its exit if it registered" {
	each_python own spawn exit
	each_python silent spawn
}

@test "a pool's worker: a report by _exit if it registered" {
	each_python own pool _exit
	each_python silent pool
}

@test "an executor's worker: a report by _exit if it registered" {
	each_python own executor _exit
	each_python silent executor
}

@test "os.fork and sys.exit: a report at its exit if it registered" {
	each_python own sys.exit exit
	each_python silent sys.exit
}

@test "os.fork and os._exit: a report by _exit if it registered" {
	each_python own os._exit _exit
	each_python silent os._exit
}

@test "subprocess: another Python reports if it registered" {
	each_python own subprocess exit
	each_python silent subprocess
}

@test "subprocess with a preexec_fn: no report of the short-lived copy" {
	each_python silent preexec
}

always() {
	local child
	child_of "$1" "" FORKHELD_OPTIONS=report=always
	[ -e "forkheld.$child.json" ]
}

@test "report=always: every process reports" {
	local kind
	for kind in fork forkserver spawn pool executor sys.exit os._exit subprocess; do
		each_python always "$kind"
	done
}

findings() {
	preloaded FORKHELD_OPTIONS=report=findings "$python" "$LEDGER/children.py" fork own >pids
	[ -z "$(reports)" ]
	preloaded FORKHELD_OPTIONS=report=findings "$python" "$FIXTURES/python/situations/bound_method.py"
	assert_json '[.findings[].rule] == ["FH001"]'
}

@test "report=findings: only a process with findings reports" { each_python findings; }

execs() {
	local pid first
	run preloaded "$python" "$LEDGER/execs.py"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "No such file or directory" ]
	pid=${lines[1]#second }
	[ "$(reports | wc -l)" -ge 2 ]
	first=$(reports | xargs -d '\n' jq -s -r '[.[] | select(.snapshot.trigger == "exec")] | length')
	[ "$first" -ge 1 ]
	for report in $(reports); do
		assert_json '.snapshot.complete and .process.pid == '"$pid" "$report"
		assert_json '[.registrations[] | select(.callables | any(.qualname == "handler"))] | length == 1' "$report"
		assert_json '[.registrations[] | .callables[] | select(.qualname == "handler") | .phase]
			== [if .snapshot.trigger == "exec" then "before" else "child" end]' "$report"
	done
}

@test "os.execv: one report of each image, and a failing one does no harm" { each_python execs; }
