#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# forkheld run and doctor: exit statuses, signals, environment, and what is said of programs that cannot be seen.
load common

setup() {
	common_setup
	unset LD_PRELOAD FORKHELD_LIBRARY
	export FORKHELD_LIBRARY=$FORKHELD_LIB
	cp "$SOURCE_ROOT/tests/fixtures/reports/fork-only.json" sample.json
}

# forkheld ARGUMENT... - $output, $stderr, $status.
forkheld() {
	status=0
	output=$("$FORKHELD_BIN" "$@" 2>stderr) || status=$?
	stderr=$(cat stderr)
}

# is STATUS [TEXT] - the last call's status, TEXT on stderr.
is() {
	[ "$status" -eq "$1" ] || { echo "status $status: $stderr"; return 1; }
	[[ $stderr == *"${2:-}"* ]] || { echo "no '$2' in: $stderr"; return 1; }
}

# all_seen - doctor has no limit to name, but perhaps that libunwind or libdw is not here, or ptrace not allowed.
all_seen() {
	local limits
	limits=$(grep -cE "^limit  (unwinder|threads|source     forkheld was built)" <<<"$output") || true
	if [ "$limits" -gt 0 ]; then is 1; else is 0; fi
	[ "$(grep -c '^limit' <<<"$output")" -eq "$limits" ]
}

lines() {
	[ "$(wc -l <stderr)" -eq "$1" ] || { echo "not $1 lines: $stderr"; return 1; }
}

# compiled NAME [FLAG...] - a program from standard input, or skip.
compiled() {
	local name=$1
	shift
	command -v cc >/dev/null || skip "no C compiler"
	cc -x c - -o "$name" "$@" 2>cc.log || skip "cc $*: $(head -n 1 cc.log)"
}

@test "CMD's exit status is passed on" {
	for wanted in 0 1 2 3 77 125 255; do
		forkheld run -- sh -c "exit $wanted"
		is "$wanted" "forkheld: "
	done
	forkheld run sh -c 'echo out; echo err >&2; exit 4'
	is 4 err
	[ "$output" = out ]
}

@test "128+N for a signal, with the reason why there is no report" {
	for signal in KILL TERM SEGV HUP; do
		forkheld run -- sh -c "kill -$signal \$\$"
		is $((128 + $(kill -l $signal))) "forkheld: no report was written: signal $(kill -l $signal) ("
	done
}

@test "126 and 127 as env(1)" {
	forkheld run -- no-such-command; is 127 "forkheld run: no-such-command: No such file or directory"; lines 1
	forkheld run -- ./no/such; is 127 "./no/such: No such file"
	forkheld run -- .; is 126 "Permission denied"; lines 1
	printf '#!/no/such/interpreter\n' >script; chmod +x script
	forkheld run -- ./script; is 127 "./script: No such file"
	chmod -x script
	forkheld run -- ./script; is 126 "./script: Permission denied"
}

@test "125: our own failures, before CMD starts" {
	forkheld run -o no/such/dir/%p.json -- touch started; is 125 "no/such/dir: No such file or directory"; lines 1
	forkheld run -o sample.json/%p.json -- touch started; is 125 "Not a directory"
	forkheld run -o '' -- touch started; is 125 "names no file"
	forkheld run -o "$PWD/" -- touch started; is 125 "names no file"
	forkheld run -o 'a%q' -- touch started; is 125 "has a % that is none of"
	forkheld run -o 'a%' -- touch started; is 125 "has a % that is none of"
	forkheld run --options nonsense=1 -- touch started; is 125 "--options: unknown key in 'nonsense=1'"
	for bad in floor floor= floor=x floor=-1 limit=1K repeat=0 timeout=0 timeout=1000001 argv=2 addresses=yes report=never \
		memory=99999999999999999999 'report=auto:floor=1T' alloc=some frames=0 frames=65 sample=x sites=1K; do
		forkheld run --options "$bad" -- touch started; is 125 "--options: bad value in"; lines 1
	done
	FORKHELD_LIBRARY=$PWD/none.so forkheld run -- touch started; is 125 "FORKHELD_LIBRARY names no readable file"
	mkdir 'a b'; cp "$FORKHELD_LIB" 'a b/lib.so'
	FORKHELD_LIBRARY="$PWD/a b/lib.so" forkheld run -- touch started; is 125 "LD_PRELOAD cannot name it"
	[ ! -e started ]
}

@test "125: a directory that cannot be written" {
	mkdir closed; chmod 555 closed
	if [ "$(id -u)" -eq 0 ]; then
		[ -d /proc/self ] || skip "no /proc"
		forkheld run -o /proc/forkheld.%p.json -- touch started
	else
		forkheld run -o closed/%p.json -- touch started
	fi
	is 125 "no report can be written to"; lines 1
	[ ! -e started ]
	[ -z "$(ls -A closed)" ]
}

@test "good options reach CMD, behind those of the environment" {
	forkheld run --options 'report=always:floor=1K:limit=5:repeat=1:timeout=5:memory=2G:argv=1:addresses=0:'\
'alloc=native:frames=25:sample=512K:sites=0' -- \
		sh -c 'echo "$FORKHELD_OPTIONS"'
	is 0
	[ "$output" = 'report=always:floor=1K:limit=5:repeat=1:timeout=5:memory=2G:argv=1:addresses=0:'\
'alloc=native:frames=25:sample=512K:sites=0' ]
	FORKHELD_OPTIONS=limit=7 forkheld run --options limit=9 -- sh -c 'echo "$FORKHELD_OPTIONS"'
	[ "$output" = limit=7:limit=9 ]
	FORKHELD_OPTIONS=limit=7 forkheld run -- sh -c 'echo "$FORKHELD_OPTIONS"'
	[ "$output" = limit=7 ]
}

@test "the environment: preload first and once, an absolute pattern, the root of its tree" {
	forkheld run -- sh -c 'echo "$LD_PRELOAD"; echo "$FORKHELD_OUTPUT"; echo "$FORKHELD_TREE $$"'
	[ "$(sed -n 1p <<<"$output")" = "$(realpath "$FORKHELD_LIB")" ]
	[ "$(sed -n 2p <<<"$output")" = "$PWD/forkheld.%p.json" ]
	FORKHELD_TREE=1 forkheld run -- sh -c '[ "$FORKHELD_TREE" != 1 ]'; is 0
	# libc alone as the earlier preload: it is loaded anyway.
	libc=$(ldd "$(command -v sh)" | grep -o '/[^ ]*libc\.so\.6')
	LD_PRELOAD=$libc forkheld run -- sh -c 'echo "$LD_PRELOAD"'
	[ "$output" = "$(realpath "$FORKHELD_LIB"):$libc" ]
	LD_PRELOAD=$(realpath "$FORKHELD_LIB") forkheld run -- sh -c 'echo "$LD_PRELOAD"'
	[ "$output" = "$(realpath "$FORKHELD_LIB")" ]
	mkdir 'per%cent'; cd 'per%cent'
	forkheld run -- sh -c 'echo "$FORKHELD_OUTPUT"'; is 0
	[[ $output == */per%%cent/forkheld.%p.json ]]
	FORKHELD_OUTPUT=mine.%p forkheld run -- sh -c 'echo "$FORKHELD_OUTPUT"'
	[[ $output == */per%%cent/mine.%p ]]
}

@test "CMD gets its signals as without us" {
	command -v python3 >/dev/null || skip "no python3"
	cat >signals.py <<-'E'
		import signal
		print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
		      [s for s in range(1, 32) if s not in (9, 19) and signal.getsignal(s) == signal.SIG_IGN])
	E
	plain /usr/bin/python3 signals.py >expected
	forkheld run -- /usr/bin/python3 signals.py
	[ "$output" = "$(cat expected)" ]
	trap '' HUP
	plain /usr/bin/python3 signals.py >expected
	forkheld run -- /usr/bin/python3 signals.py
	trap - HUP
	[ "$output" = "$(cat expected)" ]
}

@test "TERM and HUP are passed on; INT and QUIT are CMD's affair" {
	cat >waits <<-'E'
		trap 'echo term; exit 3' TERM
		trap 'echo hup; exit 4' HUP
		echo ready >ready
		i=0
		while [ $i -lt 200 ]; do sleep 0.05; i=$((i + 1)); done
	E
	for signal in TERM HUP; do
		rm -f ready
		"$FORKHELD_BIN" run -- sh waits >out 2>stderr &
		pid=$!
		for _ in {1..100}; do [ -e ready ] && break; sleep 0.05; done
		kill -INT $pid; kill -QUIT $pid
		kill -$signal $pid
		status=0
		wait $pid || status=$?
		[ "$(cat out)" = "${signal,,}" ]
		if [ $signal = TERM ]; then [ $status -eq 3 ]; else [ $status -eq 4 ]; fi
	done
}

@test "a CMD that ends by closing everything, and one that leaves children, do not hang us" {
	forkheld run -- sh -c 'exec <&- >&- 2>&-; exit 6'; is 6
	forkheld run -- sh -c 'sleep 30 >/dev/null 2>&1 & echo $!'; is 0
	kill "$output"
}

@test "one summary line names the report, the counts and the next step" {
	forkheld run -- /usr/bin/true; is 0; lines 1
	[[ $stderr =~ ^forkheld:\ no\ findings\ in\ (forkheld\.[0-9]+\.json)\;\ run:\ forkheld\ show\ forkheld\.[0-9]+\.json$ ]]
	[ -f "${BASH_REMATCH[1]}" ]
	mkdir out
	forkheld run -o out/r.%p.json -- /usr/bin/true; is 0
	[[ $stderr =~ \ in\ (out/r\.[0-9]+\.json)\; ]]
	[ -f "${BASH_REMATCH[1]}" ]
	valid_report "${BASH_REMATCH[1]}"
}

@test "a CMD that execs leaves a report for each program it was" {
	forkheld run -- sh -c 'exec /usr/bin/true'; is 0
	[[ $stderr =~ \ in\ forkheld\.([0-9]+)\.json\ forkheld\.([0-9]+)\.json\.1\; ]]
	[ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
	"$FORKHELD_BIN" check "forkheld.${BASH_REMATCH[1]}.json" "forkheld.${BASH_REMATCH[1]}.json.1"
}

@test "a CMD that becomes a program which leaves no report: said, lest its findings be taken for none" {
	forkheld run -- sh -c 'exec env -u LD_PRELOAD true'
	is 0 "no findings in"
	is 0 "but what the command executed last left no report"
	lines 1
	forkheld run -- sh -c 'exec env true'; is 0 "no findings in"
	[[ $stderr != *"left no report"* ]]
	forkheld run --options report=findings -- /usr/bin/true
	is 0 "no report was written: there are no findings (report=findings)"
}

@test "a full disk: run says so afterwards, doctor before" {
	[ "$(id -u)" -eq 0 ] && command -v unshare >/dev/null || skip_because "needs root and unshare"
	unshare -m true || skip_because "no namespaces here"
	mkdir disk
	unshare -m sh -c 'mount -t tmpfs -o size=128k none disk && cd disk && head -c 128k /dev/zero >all; "$0" run -- true
		echo $?; "$0" doctor -- true; rm all; "$0" run -- true; "$0" doctor -- true' "$FORKHELD_BIN" >said 2>&1
	grep -qx "forkheld: no report was written: less than 64 KiB are free in .*/disk" said || { cat said; false; }
	grep -qx 0 said
	[ "$(grep '  output  ' said | cut -c 1-5)" = $'limit\nok   ' ] || { cat said; false; }
	grep -q '^forkheld: no findings in' said
}

@test "reports that were there before are not counted as new" {
	cp sample.json forkheld.1.json
	cp sample.json forkheld.22.json.3
	forkheld run -- /usr/bin/true
	is 0 "no findings in"
	[[ $stderr != *forkheld.1.json* && $stderr != *forkheld.22.json* ]]
}

@test "the counts are those of the new reports, descendants' too" {
	# What writes here is not the library: only the counting is at issue.
	forkheld run -o 'x.%p.json' -- sh -c 'cp sample.json x.77.json; cp sample.json x.77.json.1; cp sample.json other.json'
	is 0 "forkheld: 1 error, 0 warnings, 0 notes in x."
	[[ $stderr == *" and 2 of descendants; run: forkheld show x.77.json x.77.json.1" ]]
	[[ $stderr != *other.json* ]]
}

@test "static, setuid and gcc-ASan programs: one line, and they run" {
	echo 'int main(void) { return 7; }' | compiled static -static
	forkheld run -- ./static
	is 7 "./static is statically linked"; lines 2
	[[ $stderr == *"forkheld: no report was written: none was possible"* ]]
	printf '#!%s\n' "$PWD/static" >script; chmod +x script
	forkheld run -- ./script
	is 7 "(${PWD}/static) is statically linked"
	echo 'int main(void) { return 8; }' | compiled asan -fsanitize=address
	forkheld run -- ./asan
	is 8 "./asan is built with gcc's AddressSanitizer"
}

@test "setuid" {
	[ "$(id -u)" -eq 0 ] || skip "only root can make one that is not its own"
	cp "$(type -P true)" ./secure
	chown 65534 secure; chmod 4755 secure
	forkheld run -- ./secure
	is 0 "./secure gets other rights when executed"
	[[ $stderr == *"no report was written: none was possible"* ]]
	forkheld doctor -- ./secure
	is 1
	grep -q '^limit  preload .*setuid' <<<"$output"
}

@test "doctor: a plain program" {
	forkheld doctor -- /usr/bin/true
	all_seen
	[ -z "$stderr" ]
	grep -q '^ok     program    /usr/bin/true$' <<<"$output"
	grep -q '^ok     libc       glibc 2\.' <<<"$output"
	grep -q '^ok     allocator  the C library' <<<"$output"
}

# filtered HOW - a program that executes another where ptrace is answered by HOW.
filtered() {
	compiled filtered <<-C
		#include <errno.h>
		#include <linux/filter.h>
		#include <linux/seccomp.h>
		#include <stddef.h>
		#include <sys/prctl.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			struct sock_filter code[] = {
				BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
				BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
				BPF_STMT(BPF_RET | BPF_K, $1),
				BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
			};
			struct sock_fprog filter = { 4, code };
			if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &filter))
				return 99;
			execv(argv[1], argv + 1);
			return 98;
		}
	C
}

@test "doctor: whether threads can be held still, tried" {
	forkheld doctor -- true
	if ! grep -q '^ok     threads    held still' <<<"$output"; then
		grep -q '^limit  threads    .*ptrace is refused' <<<"$output"
		lacks "processes must not be traced here"
	fi
	filtered 'SECCOMP_RET_ERRNO | EPERM'
	output=$(./filtered "$FORKHELD_BIN" doctor -- true) && false
	grep -q '^limit  threads    .*refused: Operation not permitted$' <<<"$output" || { echo "$output"; false; }
	filtered 'SECCOMP_RET_KILL_PROCESS'
	output=$(./filtered "$FORKHELD_BIN" doctor -- true) && false
	grep -q '^limit  threads    .*kills for it$' <<<"$output" || { echo "$output"; false; }
}

@test "doctor: the version of every CPython here, without running it" {
	for python in $(pythons); do
		version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
		forkheld doctor -- "$python"
		all_seen
		grep -q "^ok     python     CPython $version[ .]" <<<"$output" || { echo "$python: $output"; false; }
	done
}

@test "doctor: a CPython without a constant that says its version, by its library directory in one string or two" {
	local place
	for place in '"lib/python3.9"' '"python3", "/usr", "python3.9", "3.9.2"'; do
		printf '%s\n' "int PyImport_Inittab; const char *volatile place[] = { $place };" 'int main(void) { return 0; }' |
			compiled old -rdynamic
		forkheld doctor -- ./old; all_seen
		grep -q '^ok     python     CPython 3.9 (in the program)$' <<<"$output" || { echo "$output"; false; }
	done
}

@test "doctor follows scripts and env" {
	printf '#!/usr/bin/env sh\nexit\n' >script; chmod +x script
	forkheld doctor -- ./script; all_seen
	grep -q "^ok     program    .*sh, by way of ./script$" <<<"$output"
	forkheld doctor -- env A=1 -u B true; all_seen
	grep -q "^ok     program    .*/true$" <<<"$output"
	forkheld doctor -- env -i true; is 1
	grep -q '^limit  preload    env -i takes the preload away$' <<<"$output"
	printf '#!./loop\n' >loop; chmod +x loop
	forkheld doctor -- ./loop; is 1
}

@test "doctor: what has limits is 1" {
	forkheld doctor -- no-such-command; is 1
	grep -q '^limit  program    no-such-command: No such file or directory$' <<<"$output"
	echo 'int main(void) { return 7; }' | compiled static -static
	forkheld doctor -- ./static; is 1
	grep -q '^limit  preload    it is statically linked' <<<"$output"
	echo 'void *malloc(unsigned long n) { (void)n; return 0; } int mallctl(void) { return 0; } int main(void) { return 0; }' |
		compiled own -fno-builtin -rdynamic
	forkheld doctor -- ./own; is 1
	grep -q '^limit  allocator  jemalloc, linked into the program' <<<"$output"
	echo 'const char *text(void) { return "<jemalloc>: "; } int main(void) { return !text(); }' | compiled hidden
	strip hidden
	forkheld doctor -- ./hidden; is 1
	grep -q "^limit  allocator  jemalloc, in the program beside the C library's: its blocks cannot be seen$" <<<"$output"
	echo 'void *mallocx(int n) { (void)n; return 0; }' | compiled libjemalloc.so.9 -shared -fPIC -Wl,-soname,libjemalloc.so.9
	echo 'int main(void) { return 0; }' | compiled needs -Wl,--no-as-needed -L. -l:libjemalloc.so.9
	forkheld doctor -- ./needs; all_seen
	grep -q '^ok     allocator  libjemalloc.so.9$' <<<"$output"
	echo 'int main(void) { return 0; }' | compiled needs -Wl,--no-as-needed -L. -l:libjemalloc.so.9 -l:libstdc++.so.6
	forkheld doctor -- ./needs; is 1
	grep -q "^limit  allocator  libjemalloc.so.9: blocks of malloc are seen, those of C++'s new may go past it$" <<<"$output"
	echo 'int main(void) { return 0; }' | compiled nameless -Wl,--build-id=none
	forkheld doctor -- ./nameless; is 1
	grep -q '^limit  source     no build-id' <<<"$output"
	forkheld doctor -- .; is 1
	FORKHELD_LIBRARY=$PWD/none forkheld doctor -- true; is 1
	grep -q '^limit  library' <<<"$output"
	FORKHELD_OUTPUT=no/such/%p forkheld doctor -- true; is 1
	grep -q '^limit  output     no report can be written to' <<<"$output"
}

@test "doctor: files that only look like programs" {
	for size in 1 4 16 63 64 120 500; do
		head -c $size /usr/bin/true >cut; chmod +x cut
		forkheld doctor -- ./cut; is 1
	done
	for offset in 16 18 24 32 40 52 54 56 58 60 62; do
		cp "$(realpath /usr/bin/true)" broken; chmod +w broken
		printf '\xff\xff\xff\xff' | dd of=broken bs=1 seek=$offset conv=notrunc 2>/dev/null
		forkheld doctor -- ./broken
		[ "$status" -le 1 ] || { echo "offset $offset: $status"; false; }
	done
	printf 'text' >text; chmod +x text
	forkheld doctor -- ./text; is 1
	: >empty; chmod +x empty
	forkheld doctor -- ./empty; is 1
}
