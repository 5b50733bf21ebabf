#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Programs that everybody has, some with fork handlers of their libraries: none of these keeps anything that nobody else does.

load common

setup() {
	common_setup
}

# stock CMD... - by its own and with the library: the same status and output, whole reports, no error found. $report: that
# of CMD itself.
stock() {
	local alone
	command -v "$1" >/dev/null || lacks "no $1"
	alone=$("$@" 2>&1 </dev/null)
	drop_reports
	output=$(preloaded FORKHELD_OPTIONS=report=always "$@" 2>&1 </dev/null) || { echo "$output"; return 1; }
	[ "$output" = "$alone" ] || { diff <(echo "$alone") <(echo "$output"); return 1; }
	looked_at
}

# looked_at - what there is of reports says all of it.
looked_at() {
	report=$(root_report)
	assert_json '.snapshot.complete' "$report"
	nothing_found
}

# has_handlers [LIBRARY] - of the library.
has_handlers() {
	assert_json '[.registrations[] | select(.kind == "native")] | length >= 1' "$report"
	[ $# -eq 0 ] || assert_json "any(.modules[]; .path | contains(\"$1\"))" "$report"
	assert_json '.capabilities[] | select(.name == "native.registrations") | .state == "full"' "$report"
}

@test "gnutls-cli" {
	stock gnutls-cli --list
	has_handlers libgnutls
}

@test "p11-kit" {
	stock p11-kit list-modules
	has_handlers libp11-kit
}

@test "cmake, which is built on libuv" {
	stock cmake -E sleep 0.1
	has_handlers libuv
}

@test "node, with work for its threads" {
	stock node -e 'require("crypto").pbkdf2("a", "b", 1000, 64, "sha512", (wrong, key) => console.log(key.toString("hex")))'
	has_handlers
}

@test "redis with jemalloc: a server that saves in a child" {
	command -v redis-server >/dev/null || lacks "no redis-server"
	preloaded FORKHELD_OPTIONS=report=always redis-server --port 0 --unixsocket "$PWD/socket" --dir "$PWD" --save "" >log 2>&1 3>&- &
	local server=$! tries
	for tries in $(seq 100); do
		[ "$(redis-cli -s "$PWD/socket" ping 2>&1)" != PONG ] || break
		sleep 0.1
	done
	[ "$(redis-cli -s "$PWD/socket" set key value)" = OK ] || { cat log; false; }
	[ "$(redis-cli -s "$PWD/socket" bgsave)" = "Background saving started" ]
	for tries in $(seq 100); do
		redis-cli -s "$PWD/socket" info persistence | grep -q 'rdb_bgsave_in_progress:1' || break
		sleep 0.1
	done
	redis-cli -s "$PWD/socket" info persistence | grep -q 'rdb_last_bgsave_status:ok'
	redis-cli -s "$PWD/socket" shutdown nosave
	wait "$server"
	looked_at
	has_handlers libjemalloc
}

@test "numpy with OpenBLAS, before and after a fork" {
	/usr/bin/python3 -c 'import numpy' || lacks "no numpy for /usr/bin/python3"
	stock /usr/bin/python3 -c '
import numpy, os
square = numpy.ones((400, 400))
print((square @ square).sum())
child = os.fork()
if child == 0:
    os._exit(int((square @ square).sum() != 400 ** 3))
print(os.waitpid(child, 0)[1])'
	has_handlers libopenblas
}

@test "git" {
	git init -q repository
	stock git -C repository status
	stock git -C repository -c user.name=n -c user.email=e -c core.hooksPath=. commit -q --allow-empty -m empty
}

@test "perl, with children" {
	stock perl -e 'for (1 .. 3) { my $child = fork; exit 0 unless $child; waitpid $child, 0 } print "ended"'
	has_handlers
}

@test "systemctl" {
	stock systemctl --version
	has_handlers
}
