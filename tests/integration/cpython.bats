#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# CPython's own tests of forks, threads, children and the collector: what passes without the library passes with it.

load common

# passed NAME FILE [NAME=VALUE...] - run CPython's test NAME; the cases that passed go to FILE, one a line. With a limit:
# test_threading of 3.13.0, for one, hangs now and then on a busy machine, without the library.
passed() {
	local name=$1 file=$2
	shift 2
	rm -rf run
	mkdir run
	rm -f result.xml
	: >"$file"
	(cd run && exec timeout -k 5 240 env "$@" "$PYTHON" -m test --junit-xml ../result.xml --tempdir . "$name" \
		>../"$file.log" 2>&1 3>&- </dev/null) || true
	[ -s result.xml ] || return 0
	"$PYTHON" - result.xml >"$file" <<-'PYTHON'
		import sys
		import xml.etree.ElementTree as tree
		for case in tree.parse(sys.argv[1]).iter("testcase"):
		    if not list(case) or all(child.tag in ("system-out", "system-err") for child in case):
		        print(case.get("name"))
	PYTHON
	sort -o "$file" "$file"
}

# same_cases NAME - a case that fails with the library gets a second chance: some of them depend on the machine's load.
same_cases() {
	local attempt
	PYTHON=$(newest_python)
	[ -n "$PYTHON" ] || skip_because "no CPython"
	"$PYTHON" -c "import test.$1" 2>/dev/null || skip_because "$PYTHON comes without test.$1"
	passed "$1" without
	[ -s without ] || skip_because "test.$1 does not run here"
	for attempt in 1 2; do
		passed "$1" with LD_PRELOAD="$FORKHELD_LIB" FORKHELD_OUTPUT="$BATS_TEST_TMPDIR/report.json"
		comm -23 without with >lost
		[ -s lost ] || break
	done
	echo "$(wc -l <without) cases pass without the library; of these fail with it:"
	cat lost
	[ ! -s lost ] || { tail -n 60 with.log; return 1; }
	jq -e .snapshot.complete report.json >/dev/null
}

@test "test_fork1" {
	same_cases test_fork1
}

@test "test_gc" {
	same_cases test_gc
}

@test "test_os" {
	same_cases test_os
}

@test "test_threading" {
	same_cases test_threading
}

@test "test_subprocess" {
	same_cases test_subprocess
}

@test "test_multiprocessing_fork" {
	same_cases test_multiprocessing_fork
}
