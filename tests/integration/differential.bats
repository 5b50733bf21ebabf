#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Programs that know nothing of the library, with and without it: the same output, status and files; and every report
# that they leave is whole.

load common

setup() {
	common_setup
	export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null HOME=$BATS_TEST_TMPDIR
	export GIT_AUTHOR_DATE='2001-01-01T00:00:00Z' GIT_COMMITTER_DATE='2001-01-01T00:00:00Z'
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
}

# once DIRECTORY SCRIPT [NAME=VALUE...] - run the script there; output and status beside it.
once() {
	local directory=$1 script=$2 status=0
	shift 2
	rm -rf work
	mkdir work
	# The same path both times, so that a program may print where it is.
	(cd work && exec env "$@" bash -c "$script") >"$directory.out" 2>"$directory.err" 3>&- </dev/null || status=$?
	echo "$status" >"$directory.status"
	mv work "$directory"
}

# same SCRIPT [NAME=VALUE...] - as said above.
same() {
	local script=$1 file
	shift
	rm -rf without with reports without.* with.*
	mkdir reports
	once without "$script"
	once with "$script" LD_PRELOAD="$FORKHELD_LIB" FORKHELD_OUTPUT="$BATS_TEST_TMPDIR/reports/%p.json" "$@"
	diff without.out with.out
	diff without.err with.err
	diff without.status with.status
	diff -r without with
	for file in $(find reports -type f); do
		jq -e '.snapshot.complete' "$file" >/dev/null || { jq -c .snapshot "$file"; return 1; }
	done
}

needs() {
	command -v "$1" >/dev/null || skip_because "$1 is not here"
}

@test "coreutils" {
	same 'seq 20000 | sort -R --random-source=/bin/sh | sort -n | md5sum; seq 100000 |
		sort -rn --parallel=2 -S 1M | tail -3'
	same 'mkdir -p a/b/c; touch a/b/c/d; chmod 640 a/b/c/d; ln -s d a/b/c/e; cp -a a b; mv b/b c;
		ls -R; rm -r a; du c >/dev/null'
	same 'head -c 3000000 /dev/zero | split -b 1M - part.; cat part.* | wc -c; sha256sum part.*;
		truncate -s 10M big; stat -c %s big'
	same 'false'
	same 'cat /no/such/file; exit 3'
	same 'timeout -s TERM 0.2 sleep 5; echo $?; timeout 5 true; echo $?'
	same 'yes | head -n 3; echo ${PIPESTATUS[@]}; nice -n 5 nice; nohup true; stdbuf -oL echo line;
		printf "%s\n" x y | xargs -n 1 -P 2 echo | sort'
	same 'echo text >/dev/full; echo $?; cat >&- </dev/null; echo $?; ls >&-;
		echo $?' # the exit status of a failed close
}

@test "the shell: traps, jobs, subshells, exec, coprocesses" {
	same 'trap "echo bye" EXIT; (exit 4); echo $?; sleep 0.05 & wait $!; echo $?; exec 5>x;
		echo to five >&5; exec 5>&-; cat x'
	same 'kill -TERM $$'
	same 'exec 2>/dev/null; (kill -SEGV $BASHPID); echo $?; (ulimit -c 0; kill -ABRT $BASHPID); echo $?'
	same 'trap "echo term; exit 9" TERM; kill -TERM $$; echo not here'
	same 'coproc cat; echo through >&${COPROC[1]}; read -r line <&${COPROC[0]}; echo $line;
		eval "exec ${COPROC[1]}>&-"; wait'
	same 'for i in $(seq 50); do (exec true) & done; wait; echo done'
	same 'set -o pipefail; (echo a; exit 3) | cat; echo $?; exec /bin/sh -c "exec sed -n 1p /etc/group"'
	same 'exec /no/such/program; echo not here'
	same 'exec 2>/dev/null; ulimit -v 300000; seq 3; ulimit -n 20; seq 3; ulimit -f 1; head -c 5000 /dev/zero >file;
		echo $?'
}

@test "perl: fork, exec, pipes, signals, END blocks, its title" {
	needs perl
	same 'perl -e '\''$| = 1; END { print "end $?\n" } if (my $p = fork) { waitpid $p, 0;
		print $? >> 8, "\n" } else { exit 3 } exit 4'\'
	same 'perl -e '\''use POSIX; $| = 1; END { print "never\n" } print "x\n"; POSIX::_exit(5)'\'
	same 'perl -e '\''open(my $f, "-|", "echo", "a b") or die; print <$f>; close $f;
		system("exit 7"); print $? >> 8, `echo ticks`'\'
	same 'perl -e '\''$SIG{ALRM} = sub { die "alarm\n" }; alarm 1; select(undef, undef, undef, 5); '\'
	same 'perl -e '\''$SIG{CHLD} = sub { 1 while waitpid(-1, 1) > 0; $n++ }; fork or exit for 1;
		sleep 1 until $n; print "$n\n"'\'
	same 'perl -e '\''$0 = "another title, longer than what was there before" x 9;
		open F, "/proc/self/cmdline"; print length(<F>) > 50, "\n"'\'
	same 'perl -e '\''%h = map { $_ => "x" x $_ } 1 .. 3000; delete @h{grep { $_ % 3 } keys %h};
		print scalar(keys %h), "\n"; kill 9, $$'\'
	same 'perl -we '\''use Socket; socketpair(A, B, AF_UNIX, SOCK_STREAM, 0) or die;
		if (!fork) { close A; print B "hello\n"; exec "true" } close B; print <A>'\'
}

@test "git: a repository's life" {
	needs git
	same 'git init -q -b main . && seq 1000 >f && git add f && git commit -q -m one && seq 1100 >f &&
		git commit -qam two &&
		git checkout -q -b side HEAD~ && echo x >g && git add g && git commit -q -m three && git merge -q -m merge main &&
		git log --graph --oneline && git repack -adq && git fsck --strict && git diff HEAD~ --stat && git gc -q &&
		git clone -q --no-local . copy && git -C copy log -1 --format=%H; git nonsense; rm -rf .git copy/.git'
}

@test "sqlite3" {
	needs sqlite3
	same 'sqlite3 db "create table t(a integer primary key, b text);
		with recursive c(x) as (select 1 union all select x + 1
		from c where x < 20000) insert into t select x, hex(x * x) from c;
		create index i on t(b); select count(*), max(b) from t;
		delete from t where a % 3; vacuum; pragma integrity_check;"; sqlite3 db "select sum(a) from t group by a % 7; bad"'
}

@test "make, tar, sed, awk, find, grep in one pipeline" {
	for program in make tar sed awk find grep; do
		needs $program
	done
	same 'printf "all: a b c\n%%:\n\t@seq 100 | sed s/1/$@/ >$@;
		echo made $@\nfail:\n\tfalse\n" >Makefile; make -s -j1; make -s fail
		find . -type f | sort | tar cf - -T - --mtime=@0 --owner=0 --group=0 --mode=644 | md5sum;
		grep -c a a; awk "END { print NR }" b'
}

@test "every process writes (report=always): the hosts do not change" {
	same 'seq 2000 | sort -rn | head -n 2; (exec ls /); for i in 1 2 3; do (exit $i); echo $?;
		done' FORKHELD_OPTIONS=report=always
	[ "$(ls reports | wc -l)" -ge 8 ]
}

@test "compiled programs that stop halfway: a failed assert, a double free" {
	needs cc
	cat >abort.c <<-'C'
		#include <assert.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		int main(int count, char **arguments)
		{
			char *block = malloc(100);
			printf("started\n");
			fflush(stdout);
			if (strcmp(arguments[1], "assert") == 0)
				assert(count == 7);
			free(block);
			if (strcmp(arguments[1], "double") == 0)
				free(block);
			return 0;
		}
	C
	cc -w -o abort abort.c
	# bash says which pid it was that aborted; the programs' own words go into a file.
	same "for way in assert double none; do $BATS_TEST_TMPDIR/abort \$way 2>>said; echo \$?;
		done 2>/dev/null"
}
