#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Other threads, held still while the copy is made: what their registers and stacks lead to, and what they see of it.
# tests/fixtures/native/halted.c, waiting.c and stopping.c say what their cases are.

load common

native=${BUILD_ROOT:-}/tests/fixtures/native

# in_time CMD... - run it so that it leaves one report; once more if a thread did not stop in time, as it may happen on a
# machine with much other work.
in_time() {
	local _
	for _ in 1 2 3 4 5; do
		drop_reports
		"$@" || return 1
		grep -q 'did not stop in time' "$(reports | head -n 1)" || return 0
	done
}

# held CASE - does anything lead to the block of that case? Prints yes or no, and the capability.
held() {
	in_time preloaded FORKHELD_OPTIONS=leaks=1 "$native/halted" "$@" || return 1
	jq_report '(if .unreachable.count == 0 then "yes" elif .unreachable.bytes == 1000 then "no" else "?" end) as $held |
		.capabilities[] | select(.name == "native.retention") | "\($held) \(.state)"'
}

# retention JQ - is JQ true of the state and reason of native.retention, in all reports of the directory?
retention() {
	local file
	[ -n "$(reports)" ]
	while read -r file; do
		assert_json ".capabilities[] | select(.name == \"native.retention\") | $1" "$file"
	done < <(reports)
}

# skip_where_refused - as in some containers. Elsewhere a thread that cannot be stopped is a failure.
skip_where_refused() {
	local refused
	held register >/dev/null
	refused=$(jq_report '.capabilities[] | select(.name == "native.retention") | .reason // "" | test("ptrace is refused")')
	drop_reports
	[ "$refused" = false ] || lacks "processes must not be traced here"
}

@test "what another thread has in a register, in a vector register or below its stack pointer within reach is held" {
	skip_where_refused
	[ "$(held register)" = "yes full" ]
	[ "$(held vector)" = "yes full" ]
	[ "$(held red_zone)" = "yes full" ]
	[ "$(held stack)" = "yes full" ]
	[ "$(held nobody)" = "no full" ]
}

@test "what an earlier call has left on another thread's stack is not held; also on a stack that the program gave" {
	skip_where_refused
	[ "$(held left_behind)" = "no full" ]
	[ "$(held given_left_behind)" = "no full" ]
}

@test "in use all the same: frames below a coroutine's or handler's stack within the thread's own, and what lies beside a stack" {
	[[ $(held below_inner) == "yes "* ]]
	[[ $(held below_handler) == "yes "* ]]
	[[ $(held beside_mapped) == "yes "* ]]
	[[ $(held below_given) == "yes "* ]]
}

@test "stop=0: nobody is stopped, stacks whole, registers missing" {
	preloaded FORKHELD_OPTIONS=leaks=1:stop=0 "$native/halted" left_behind
	retention '.state == "partial" and
		.reason == "option stop=0: registers of other threads are missing; their stacks are taken whole"'
	assert_json '.unreachable.count == 0'
	drop_reports
	preloaded FORKHELD_OPTIONS=stop=0 "$native/waiting" >seen
	! grep -v ' ok$' seen || false
}

@test "LeakSanitizer says the same of all these, but for memory that is in use all the same" {
	[ -x "$native/halted_judged" ] || lacks "no leak sanitizer"
	plain "$native/halted_judged" stack 2>/dev/null || skip_because "the leak sanitizer cannot look at processes here"
	skip_where_refused
	local case mine other
	for case in register vector stack left_behind given_left_behind nobody; do
		mine=$(held $case)
		other=$(plain LSAN_OPTIONS=exitcode=0 "$native/halted_judged" $case 2>&1 | grep -c '^SUMMARY.* 1000 byte' || true)
		echo "$case: $mine, LeakSanitizer finds $other"
		# GCC's before 12 does not look at vector registers: there it finds what is held.
		if [ $case = vector ] && [ "$(cc -dumpversion | cut -d. -f1)" -lt 12 ]; then
			[ "$other" = 1 ]
			other=0
		fi
		[ "$mine" = "$([ "$other" = 0 ] && echo yes || echo no) full" ]
	done
}

@test "ptrace is refused to a program that must not be dumped: stacks whole, registers missing, and why" {
	[ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null || skip_because "needs root and setpriv"
	local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all)
	# Nobody may come into the test's own directory.
	BATS_TEST_TMPDIR=$(mktemp -d /tmp/forkheld-stop.XXXXXX)
	chmod 777 "$BATS_TEST_TMPDIR"
	plain "${nobody[@]}" test -r "$FORKHELD_LIB" -a -x "$native/halted" || skip_because "another user cannot come to the library"
	plain "${nobody[@]}" env LD_PRELOAD="$FORKHELD_LIB" FORKHELD_OPTIONS=leaks=1 "$native/halted" left_behind undumpable
	retention '.state == "partial" and (.reason |
		test("registers of other threads are missing .ptrace is refused, error 1.; their stacks are taken whole"))'
	assert_json '.unreachable.count == 0'
	in_time plain "${nobody[@]}" env LD_PRELOAD="$FORKHELD_LIB" FORKHELD_OPTIONS=leaks=1 "$native/halted" left_behind
	retention '.state == "full" and .reason == null'
	assert_json '.unreachable.count == 1'
	rm -rf "$BATS_TEST_TMPDIR"
}

@test "where Yama is in force, leave is asked for and given; here it does not help" {
	[ "$(id -u)" -eq 0 ] && command -v unshare >/dev/null && command -v setpriv >/dev/null ||
		skip_because "needs root, unshare and setpriv"
	unshare -m true || skip_because "no namespaces here"
	BATS_TEST_TMPDIR=$(mktemp -d /tmp/forkheld-stop.XXXXXX)
	chmod 777 "$BATS_TEST_TMPDIR"
	plain setpriv --reuid=65534 --regid=65534 --clear-groups test -r "$FORKHELD_LIB" -a -x "$native/halted" ||
		skip_because "another user cannot come to the library"
	plain unshare -m sh -c 'mount -t tmpfs -o mode=755 none /proc/sys/kernel && mkdir /proc/sys/kernel/yama &&
		echo 1 >/proc/sys/kernel/yama/ptrace_scope && exec setpriv --reuid=65534 --regid=65534 --clear-groups \
		--inh-caps=-all env LD_PRELOAD="$0" FORKHELD_OPTIONS=leaks=1 "$@"' "$FORKHELD_LIB" "$native/halted" register undumpable
	retention '.state == "partial" and (.reason | test("ptrace is refused, error 1"))'
	rm -rf "$BATS_TEST_TMPDIR"
}

@test "ptrace is refused where a debugger is at work" {
	command -v strace >/dev/null || skip_because "no strace"
	strace -f -o trace -e trace=none env LD_PRELOAD="$FORKHELD_LIB" FORKHELD_OPTIONS=leaks=1 "$native/halted" register ||
		skip_because "strace cannot trace here"
	assert_json '.capabilities[] | select(.name == "native.retention") | .state == "partial" and
		(.reason | test("registers of other threads are missing .another process traces this one.; their stacks"))' \
		"$(reports | tail -n 1)"
}

@test "a filter of system calls that kills for ptrace, refuses it, or kills who goes on with a call: nobody is stopped or killed" {
	local kind
	for kind in kill errno restart; do
		preloaded "$native/stopping" sandbox $kind
		retention '.state == "partial" and (.reason | test("a filter of system calls does not let them be stopped"))'
		drop_reports
	done
	preloaded "$native/stopping" sandbox allow
	skip_where_refused
	in_time preloaded "$native/stopping" sandbox allow
	retention '.state == "full"'
}

@test "calls that wait, interrupted by 20 snapshots: none fails, none comes out short, but for the four that the man page names" {
	plain "$native/waiting" >expected
	! grep -v ' ok$' expected || false
	preloaded "$native/waiting" >seen
	cat seen
	[ "$(wc -l <seen)" -eq 25 ]
	! grep -v ' ok$' seen | grep -v -E '^(epoll_wait|recv_timeout|semop|sigtimedwait) Interrupted system call$' || false
	[ "$(reports | wc -l)" -eq 21 ]
}

@test "threads that write, or receive all or nothing, are not interrupted, and are counted as missing" {
	skip_where_refused
	preloaded "$native/waiting" >seen
	[ "$(cat $(reports) | grep -c 'registers of 2 of 25 other threads are missing')" -ge 1 ]
}

@test "a thread that waits for a vfork's child cannot be stopped: counted as missing, and not waited for" {
	skip_where_refused
	[ "$(preloaded "$native/stopping" vfork)" = "in time" ]
	assert_json '.capabilities[] | select(.name == "native.retention") | .state == "partial" and
		(.reason | test("^registers of [1-3] of 3 other threads are missing"))' "$(reports | head -n 1)"
}

@test "a first thread that has ended is nobody to be stopped" {
	skip_where_refused
	in_time preloaded "$native/stopping" leader
	retention '.state == "full" and .reason == null'
}

@test "no /proc: nobody is stopped" {
	[ "$(id -u)" -eq 0 ] && command -v unshare >/dev/null || skip_because "needs root and unshare"
	unshare -m true || skip_because "no namespaces here"
	plain unshare -m sh -c 'mount -t tmpfs none /proc && LD_PRELOAD=$0 FORKHELD_OPTIONS=leaks=1 exec "$@"' \
		"$FORKHELD_LIB" "$native/halted" register
	retention '.state != "full"'
}

@test "signals to threads that stand still all come; no SIGCHLD, no child, no tracer left, dumpable as before" {
	preloaded "$native/stopping" signals >seen
	plain "$native/stopping" signals >expected
	diff expected seen
	grep -q '^signals all$' seen
	grep -q '^children 0, tracer 0, dumpable as before$' seen
}

@test "20 busy threads that allocate and send each other signals, snapshotted 30 times: nothing changes" {
	preloaded "$native/stopping" torture 20 30 >seen 2>counts
	cat counts
	[ "$(cat seen)" = "30 of 30 snapshots; bad 0, signals counted" ]
	[ "$(sed 's/.*sent \([0-9]*\), received .*/\1/' counts)" = "$(sed 's/.*received //' counts)" ]
	[ "$(reports | wc -l)" -eq 31 ]
}

@test "threads and children that come and go meanwhile" {
	[ "$(preloaded "$native/stopping" churn 60)" = "60 of 60 snapshots; bad 0, done" ]
	[ "$(reports | wc -l)" -eq 61 ]
}

# state_of PID - the letter that the kernel has for what its first thread does.
state_of() {
	sed 's/.*) \(.\).*/\1/' "/proc/$1/stat"
}

@test "stopped by a signal in the middle of snapshots: it stops soon, and goes on" {
	local pid late=0 _
	preloaded "$native/stopping" torture 8 150 >seen 2>counts 3>&- &
	pid=$!
	sleep 0.3
	for _ in 1 2 3 4 5 6 7 8; do
		kill -STOP $pid || break
		sleep 0.5
		[ "$(state_of $pid)" = T ] || late=$((late + 1))
		kill -CONT $pid
		sleep 0.05
	done
	wait $pid
	[ "$(cat seen)" = "150 of 150 snapshots; bad 0, signals counted" ]
	[ $late -le 1 ]
}

@test "a process of one thread makes no tracer" {
	command -v strace >/dev/null || skip_because "no strace"
	strace -f -o trace -E LD_PRELOAD="$FORKHELD_LIB" -E FORKHELD_OPTIONS=leaks=1 "$native/leaks" leaked ||
		skip_because "strace cannot trace here"
	[ "$(grep -c 'clone(' trace)" -eq 1 ]
	! grep -q 'ptrace(' trace || false
	retention '.state == "full"'
}

@test "Python: with other threads full, in what was found as well" {
	skip_where_refused
	in_time preloaded "$(newest_python)" -c '
import os, threading, zlib
class Holder:
    def __init__(self): self.native = zlib.compressobj()
    def f(self): pass
os.register_at_fork(after_in_child=Holder().f)
threading.Thread(target=threading.Event().wait, daemon=True).start()'
	retention '.state == "full"'
	assert_json '[.objects[] | select(.type == "Holder") | .native_bytes > 200000] == [true]'
}
