#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Every way in which a Python process ends, on every Python at hand: the host as without the library, and whole reports
# from the processes that should have one, with the leak that each of them has.

load common

# ends WAY EXPECTED - EXPECTED: for each report, trigger/generation/owners that only registrations hold, sorted.
ends() {
	local python way=$1 expected=$2 plain_status status found file
	while read -r python; do
		drop_reports
		plain_status=0 status=0
		plain "$python" -W ignore "$FIXTURES/ends/ends.py" "$way" >without.out 2>without.err 3>&- || plain_status=$?
		preloaded "$python" -W ignore "$FIXTURES/ends/ends.py" "$way" >with.out 2>with.err 3>&- || status=$?
		echo "$python $way: status $plain_status, with the library $status"
		sed -i '/common.bash: line/d' without.err with.err  # the shell on a child that aborted, with its pid
		diff without.out with.out
		diff without.err with.err
		[ "$status" -eq "$plain_status" ]
		found=$(for file in $(reports); do
			jq -r '[.snapshot.trigger, .process.fork_generation,
				([.findings[] | select(.rule == "FH001") | .count] | add)] | map(tostring) | join("/")' "$file"
		done | sort | xargs)
		[ "$found" = "$expected" ] || { echo "reports: $found; expected: $expected"; return 1; }
		for file in $(reports); do
			assert_json '.snapshot | .complete and .isolation == "copy" and .reason == null' "$file"
		done
		[ -z "$(find . -name '.forkheld*')" ]
	done < <(pythons)
}

@test "the end of the main script, sys.exit, an exception, KeyboardInterrupt" {
	ends return exit/0/1
	ends sys_exit exit/0/1
	ends exception exit/0/1
	ends interrupt exit/0/1
}

@test "threads: sys.exit in one, a daemon thread left behind, busy ones" {
	ends thread_exit exit/0/1
	ends daemon_thread exit/0/1
	ends busy_threads exit/0/1
}

@test "os._exit, in a thread as well" {
	ends _exit _exit/0/1
	ends _exit_thread _exit/0/1
}

@test "os.execv, and one that fails" {
	# The new image, echo, is the same process and so still the first of its tree.
	ends execv "exec/0/1 exit/0/null"
	ends execv_fails exit/0/1
}

@test "SIGTERM and os.abort leave none" {
	ends terminate ""
	ends abort ""
}

@test "os.fork: children that end by sys.exit and os._exit, that registered something and that did not" {
	ends fork_sys_exit "exit/0/1 exit/1/2"
	ends fork__exit "_exit/1/2 exit/0/1"
	ends fork_in_thread "_exit/1/2 exit/0/1"
	ends fork_plain exit/0/1
}

@test "multiprocessing: fork, forkserver, spawn" {
	ends mp_fork "_exit/1/2 exit/0/1"
	ends mp_fork_plain exit/0/1
	ends mp_forkserver "_exit/1/1 exit/0/1"
	ends mp_spawn "exit/0/1 exit/0/1"
}

@test "Pool and ProcessPoolExecutor" {
	ends pool exit/0/1
	ends executor exit/0/1
}

@test "subprocess, preexec_fn, os.system" {
	ends subprocess exit/0/1
}

@test "a thread that waits for any child sees no copy" {
	ends waits_for_all "api/0/1 api/0/1 api/0/1 api/0/1 api/0/1 exit/0/1"
}
