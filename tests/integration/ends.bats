#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Every way in which a process ends: the host as without the library, and the report that the way allows.

load common

setup() {
	common_setup
	ENDS=$BUILD_ROOT/tests/fixtures/ends/ends
	HARM=$BUILD_ROOT/tests/fixtures/ends/harm
	if ! same_libc /bin/echo; then
		export ENDS_ECHO=$BUILD_ROOT/tests/fixtures/ends/echo PATH=$BUILD_ROOT/tests/fixtures/ends:$PATH
	fi
	chmod 777 "$BATS_TEST_TMPDIR"  # some ways end as another user
}

# unharmed WAY [ARGUMENT] - the same output and status with and without the library.
unharmed() {
	local plain_status=0 status=0
	mkdir -p without && chmod 777 without
	(cd without && exec env -u LD_PRELOAD "$ENDS" "$@") >without.out 2>without.err 3>&- || plain_status=$?
	LD_PRELOAD=$FORKHELD_LIB "$ENDS" "$@" >with.out 2>with.err 3>&- || status=$?
	rm -rf without empty
	diff without.out with.out && diff without.err with.err || return 1
	[ "$status" -eq "$plain_status" ] || { echo "status $plain_status became $status"; return 1; }
}

# ends_with TRIGGER WAY [ARGUMENT] - and one whole report that says how it ended, made in a copy.
ends_with() {
	local trigger=$1
	shift
	drop_reports
	unharmed "$@"
	assert_json ".snapshot | .trigger == \"$trigger\" and .complete and .isolation == \"copy\" and .sequence == 1"
	assert_json '.snapshot.pause_ns > 0 and .snapshot.reason == null'
	no_leftovers
}

no_leftovers() {
	[ -z "$(find "$BATS_TEST_TMPDIR" -name '.forkheld*')" ]
}

# no_report WAY [ARGUMENT] - nothing is left, not even a piece of a report.
no_report() {
	drop_reports
	unharmed "$@"
	[ -z "$(reports)" ]
	no_leftovers
}

as_root() {
	[ "$(id -u)" -eq 0 ] || skip_because "needs root"
}

@test "return from main, exit, exit in a thread" {
	ends_with exit return
	ends_with exit exit
	ends_with exit atexit
	ends_with exit thread
}

@test "_exit, _Exit, also past atexit handlers and out of a signal handler" {
	ends_with _exit _exit
	ends_with _exit _Exit
	ends_with _exit atexit__exit
	ends_with _exit handler__exit
}

@test "quick_exit: after its handlers" {
	ends_with _exit quick_exit
}

@test "abort and fatal signals leave no report" {
	no_report abort
	no_report crash
	no_report term
	no_report kill
}

@test "exec in all its forms: a report of the old image, then one of the new under the next name" {
	for way in execv execvp execl execlp fexecve execveat; do
		drop_reports
		unharmed $way
		first=$(reports | head -n 1)
		[ "$(reports)" = "$first"$'\n'"$first.1" ]
		assert_json '.snapshot.trigger == "exec" and .snapshot.complete' "$first"
		assert_json '.snapshot.trigger == "exit" and .snapshot.complete' "$first.1"
		[ "$(jq .process.pid "$first")" = "$(jq .process.pid "$first.1")" ]
	done
}

@test "exec with another environment: that image is not preloaded" {
	for way in execve execvpe execle environment; do
		ends_with exec $way
	done
}

@test "an exec that is bound to fail leaves no report of its own" {
	ends_with exit exec_fails
}

@test "children that registered nothing leave no report: fork, vfork, exec in a child" {
	for way in fork fork__exit fork_exec vfork; do
		ends_with exit $way
	done
}

@test "report=always: a child's report as well, but never a vfork child's" {
	export FORKHELD_OPTIONS=report=always
	unharmed fork
	[ "$(reports | wc -l)" -eq 2 ]
	for file in $(reports); do
		assert_json '.snapshot.trigger == "exit" and .snapshot.complete' "$file"
	done
	drop_reports
	unharmed vfork  # the second one becomes echo, which ends by itself
	[ "$(reports | wc -l)" -eq 2 ]
}

@test "a daemon: the first process writes, the daemon's own life goes on" {
	ends_with exit daemon
	drop_reports
	FORKHELD_OPTIONS=report=always unharmed daemon
	[ "$(reports | xargs jq -r .snapshot.trigger | sort | xargs)" = "_exit exit exit" ]
}

@test "the directory stays where the process started: chdir, chroot" {
	ends_with exit chdir
	as_root
	ends_with exit chroot
}

@test "another user at the end: into a directory that takes it, else nothing" {
	as_root
	ends_with exit setuid
	[ "$(stat -c %u "$(report)")" -eq 65534 ]
	chmod 755 .
	no_report setuid
}

@test "the host closes all descriptors, or uses all their numbers" {
	ends_with exit closefrom 3
	ends_with exit closefrom 0
	ends_with exit reuse
	ends_with exit nofile
}

@test "RLIMIT_FSIZE: the soft limit is not ours, the hard one leaves no torn report and no SIGXFSZ" {
	ends_with exit fsize
	no_report fsize_hard
}

@test "umask 0777 makes no other file: mode 0600" {
	ends_with exit umask
	[ "$(stat -c %a "$(report)")" = 600 ]
	ends_with exit return
	[ "$(stat -c %a "$(report)")" = 600 ]
}

@test "little address space: a report, or none, never a torn one" {
	for bytes in 0 100000 1000000 4000000 40000000; do
		drop_reports
		unharmed memory $bytes
		for file in $(reports); do
			valid_report "$file"
		done
		no_leftovers
	done
	assert_json .snapshot.complete
}

@test "no copy to be had (RLIMIT_NPROC, seccomp, a new pid namespace): in place, and the report says so" {
	drop_reports
	unharmed seccomp
	assert_json '.snapshot.isolation == "in-place" and .snapshot.trigger == "exit"'
	as_root
	drop_reports
	unharmed nproc
	assert_json '.snapshot.isolation == "in-place"'
	needs_same_libc sh
	drop_reports
	unharmed unshare
	assert_json '.snapshot.isolation == "in-place" and .snapshot.trigger == "exec"' "$(reports | head -n 1)"
}

@test "a storm of forks; threads that hammer malloc" {
	ends_with exit storm
	for _ in 1 2 3 4 5; do
		ends_with exit hammer
	done
}

@test "threads that are inside libc all the time (time zone, files, loader, locale, environment): no lock is waited for" {
	export FORKHELD_OPTIONS=timeout=5
	for _ in 1 2 3 4 5; do
		ends_with _exit locks
	done
}

@test "a host with an allocator of its own, also with a thread inside it for good" {
	ENDS=$BUILD_ROOT/tests/fixtures/ends/own_malloc
	export FORKHELD_OPTIONS=timeout=5
	ends_with exit plain
	ends_with _exit locked
}

@test "a directory that cannot be written or is not there" {
	mkdir closed
	chmod 555 closed
	export FORKHELD_OUTPUT=closed/r.json
	[ "$(id -u)" -eq 0 ] || unharmed return
	as_root
	no_report setuid
	FORKHELD_OUTPUT=/proc/r.json no_report return
	FORKHELD_OUTPUT=not-there/r.json no_report return
	[ -z "$(ls closed)" ]
}

@test "a full disk: nothing, not even a piece" {
	as_root
	mkdir full
	mount -t tmpfs -o size=8k tmpfs full || skip_because "cannot mount a tmpfs"
	dd if=/dev/zero of=full/filler bs=4k 2>/dev/null || true
	FORKHELD_OUTPUT=full/r.json unharmed return
	left=$(ls -A full)
	umount full
	[ "$left" = filler ]
}

@test "the pattern: %p, %e, %n, %%; a relative one counts from the start directory; names that are taken" {
	FORKHELD_OUTPUT=out-%e-%n-%%.json unharmed chdir
	[ -e out-ends-1-%.json ]
	FORKHELD_OUTPUT=out-%e-%n-%%.json unharmed return
	[ -e out-ends-1-%.json.1 ]
	mkdir 'odd %p'
	(cd 'odd %p' && LD_PRELOAD=$FORKHELD_LIB FORKHELD_OUTPUT=./x.json "$ENDS" chdir || true)
	[ -e 'odd %p/x.json' ]
	ln -s elsewhere dangling
	FORKHELD_OUTPUT=dangling unharmed return
	[ -L dangling ] && [ ! -e elsewhere ] && [ -f dangling.1 ]
}

@test "bad options: one line each on stderr, a note in the report, the host runs on" {
	local status=0
	LD_PRELOAD=$FORKHELD_LIB FORKHELD_OPTIONS=nonsense=1:timeout=0:floor=x:report=maybe:argv:limit=5:memory=1T \
		"$ENDS" return >out 2>err || status=$?
	[ "$status" -eq 3 ]
	[ "$(cat out)" = return ]
	[ "$(wc -l <err)" -eq 6 ]
	[ "$(head -n 1 err)" = "forkheld: options: unknown key 'nonsense'" ]
	[ "$(sed -n 2p err)" = "forkheld: options: bad value 'timeout=0'" ]
	assert_json '.snapshot.complete and (.notes | length == 6) and .notes[0] == "options: unknown key '"'nonsense'"'"'
	# A child of the tree does not say it again.
	needs_same_libc sh
	LD_PRELOAD=$FORKHELD_LIB FORKHELD_OPTIONS=nonsense=1 /bin/sh -c '/bin/true; /bin/true; exit 0' 2>err
	[ "$(wc -l <err)" -eq 1 ]
}

@test "snapshots from inside: mask, errno, descriptors, limits and children stay" {
	for check in state descriptor children signals memory threads; do
		run preloaded "$HARM" $check
		echo "$check: $output"
		[ "$output" = fine ]
		for file in $(reports); do
			jq -e .snapshot.complete "$file" >/dev/null
		done
		drop_reports
	done
	[ "$(plain "$HARM" state)" = "no library" ]
}

@test "an end out of a signal handler in the middle of a snapshot waits for that one" {
	for _ in 1 2 3 4 5; do
		# Once as the root of a tree, once as a process whose end is worth no report.
		run preloaded "$HARM" exit-in-snapshot
		[ "$status" -eq 42 ]
		no_leftovers
		run preloaded FORKHELD_TREE=1 "$HARM" exit-in-snapshot
		[ "$status" -eq 42 ]
		for file in $(reports); do
			jq -e .snapshot.complete "$file" >/dev/null
		done
		no_leftovers
		drop_reports
	done
}
