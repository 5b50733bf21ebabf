# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# common.bash - what every *.bats file loads. Meson sets the environment:
#   FORKHELD_LIB, FORKHELD_BIN  the library and the command line under test
#   SOURCE_ROOT, BUILD_ROOT     the two trees
#   FIXTURES                    tests/fixtures of the source tree (compiled ones: $BUILD_ROOT/tests/fixtures)
# Each test runs in an empty directory of its own, $BATS_TEST_TMPDIR, which is also its current directory. To run one
# file by hand: tests/integration/by-hand BUILD_DIRECTORY FILE.bats [bats options].

setup() {
	common_setup
}

# common_setup - a file with a setup() of its own calls this first.
common_setup() {
	if [ -z "${BATS_TEST_TMPDIR:-}" ]; then  # bats before 1.4
		BATS_TEST_TMPDIR=$(mktemp -d "${BATS_TMPDIR:-/tmp}/forkheld-test.XXXXXX")
		BATS_TEST_TMPDIR_OURS=1
	fi
	cd "$BATS_TEST_TMPDIR" || return 1
	unset LD_PRELOAD PYTHONMALLOC PYTHONDEVMODE PYTHONPATH PYTHONHOME FORKHELD_OUTPUT FORKHELD_OPTIONS FORKHELD_TREE
	export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
	if [ "${PYTHONS_WANTED:-}" = others ] && [ -z "$(pythons)" ]; then
		skip_because "no other CPython here"
	fi
}

teardown() {
	common_teardown
}

common_teardown() {
	if [ -n "${BATS_TEST_TMPDIR_OURS:-}" ]; then
		cd / && rm -rf "$BATS_TEST_TMPDIR"
	fi
}

# alone [NAME=VALUE...] CMD... - run CMD in the test's directory, with no FORKHELD_ variable but those given here.
alone() (
	cd "$BATS_TEST_TMPDIR" || exit 125
	exec env -u FORKHELD_LIB -u FORKHELD_BIN -u FORKHELD_OUTPUT -u FORKHELD_OPTIONS -u FORKHELD_TREE -u LD_PRELOAD "$@"
)

# preloaded [NAME=VALUE...] CMD... - the same with the library. Its status, stdout and stderr are CMD's: use it bare or
# under bats' run.
preloaded() {
	alone LD_PRELOAD="$FORKHELD_LIB" "$@"
}

# plain [NAME=VALUE...] CMD... - the same without the library, to compare with.
plain() {
	alone "$@"
}

# reports - the paths of all reports in the test's directory, one a line.
reports() {
	find "$BATS_TEST_TMPDIR" -maxdepth 1 -name 'forkheld.*.json*' | sort
}

# report - the path of the only report; fails where there is none, or more than one.
report() {
	local found
	found=$(reports)
	if [ -z "$found" ]; then
		echo "no report in $BATS_TEST_TMPDIR: $(ls -A "$BATS_TEST_TMPDIR")" >&2
		return 1
	fi
	if [ "$(wc -l <<<"$found")" -ne 1 ]; then
		printf 'more than one report:\n%s\n' "$found" >&2
		return 1
	fi
	printf '%s\n' "$found"
}

# drop_reports - forget them, for a test that runs several programs in turn.
drop_reports() {
	reports | xargs -r -d '\n' rm -f
}

# jq_report FILTER [REPORT] - what FILTER says (raw) about the report; by default the only one.
jq_report() {
	local file
	file=${2:-$(report)} || return 1
	jq -r "$1" "$file"
}

# valid_report REPORT - is it what the JSON Schema says?
valid_report() {
	/usr/bin/env -u LD_PRELOAD "${SCHEMA_PYTHON:-/usr/bin/python3}" - "$1" \
		"$SOURCE_ROOT/tools/schema/forkheld-report.schema.json" <<-'PYTHON'
		import json, sys, warnings
		warnings.simplefilter("ignore")
		import jsonschema
		with open(sys.argv[1], encoding="utf-8") as file:
		    report = json.load(file)
		with open(sys.argv[2], encoding="utf-8") as file:
		    schema = json.load(file)
		schema.pop("$id", None)  # jsonschema 3 would look references up there
		checker = jsonschema.validators.validator_for(schema)(schema)
		errors = sorted(checker.iter_errors(report), key=lambda error: list(map(str, error.path)))
		for error in errors[:10]:
		    place = "/".join(map(str, error.path))
		    print(f"schema: {place}: {error.message[:300]}", file=sys.stderr)
		sys.exit(bool(errors))
	PYTHON
}

# assert_json FILTER [REPORT] - FILTER is true of the report, and the report is valid; else print the report and fail.
declare -gA VALIDATED=()
assert_json() {
	local file key
	file=${2:-$(report)} || return 1
	key=$file:$(stat -c %Y.%s "$file")
	if [ -z "${VALIDATED[$key]:-}" ]; then
		if ! valid_report "$file"; then
			echo "not a valid report: $file" >&2
			return 1
		fi
		VALIDATED[$key]=1
	fi
	if ! jq -e "$1" "$file" >/dev/null; then
		printf 'not true: %s\n' "$1" >&2
		jq -c 'del(.frames, .stacks, .modules)' "$file" | cut -c 1-20000 >&2
		return 1
	fi
}

# pythons - every CPython from 3.9 on that can be found, one a version, one path a line: those in $FORKHELD_PYTHONS
# (blanks between), else /usr/bin/python3* and what pyenv installed. Never a shim that is a shell script.
# $PYTHONS_WANTED chooses among the latter: "everyday" two, /usr/bin/python3 and the newest; "others" the rest.
pythons() {
	local cache=${BATS_RUN_TMPDIR:-$BATS_TEST_TMPDIR}/pythons candidate root
	if [ ! -s "$cache" ]; then
		local candidates=()
		if [ -n "${FORKHELD_PYTHONS:-}" ]; then
			read -r -a candidates <<<"$FORKHELD_PYTHONS"
		else
			candidates=(/usr/bin/python3 /usr/bin/python3.[0-9] /usr/bin/python3.[0-9][0-9])
			root=${PYENV_ROOT:-$(command -v pyenv >/dev/null && pyenv root)}
			candidates+=("${root:-$HOME/.pyenv}"/versions/*/bin/python3)
		fi
		for candidate in "${candidates[@]}"; do
			[ -x "$candidate" ] && same_libc "$candidate" || continue
			"$candidate" -I - 2>/dev/null <<-'PYTHON' || true
				import sys
				if sys.implementation.name == "cpython" and sys.version_info >= (3, 9):
				    print("%d.%02d.%02d" % sys.version_info[:3], sys.executable)
			PYTHON
		done | sort -u -k1,1 | cut -d' ' -f2- | wanted_pythons >"$cache.$$"
		mv "$cache.$$" "$cache"
	fi
	cat "$cache"
}

# wanted_pythons - of the paths on stdin, oldest first, those that $PYTHONS_WANTED wants.
wanted_pythons() {
	local all path class
	mapfile -t all
	for path in "${all[@]}"; do
		class=others
		if [ -n "${FORKHELD_PYTHONS:-}" ] || [ "$path" = "${all[-1]}" ] ||
			[ "$(readlink -f "$path")" = "$(readlink -f /usr/bin/python3)" ]; then
			class=everyday
		fi
		if [ "${PYTHONS_WANTED:-$class}" = "$class" ]; then
			echo "$path"
		fi
	done
}

# newest_python - the newest of them.
newest_python() {
	pythons | tail -n 1
}

# libc_of FILE - glibc or musl: what this program or library is linked with.
libc_of() {
	if readelf -dW "$1" | grep -q 'NEEDED.*\[libc\.so\.6\]'; then
		echo glibc
	else
		echo musl
	fi
}

# same_libc PROGRAM - can the library under test be loaded into it? Under musl-gcc the system's own programs are glibc's.
same_libc() {
	local program
	program=$(command -v "$1") && [ "$(libc_of "$(readlink -f "$program")")" = "$(libc_of "${FORKHELD_LIB:-$program}")" ]
}

# glibc_only WHAT - the test is about glibc.
glibc_only() {
	[ "$(libc_of "$FORKHELD_LIB")" = glibc ] || skip_because "musl: $1"
}

# needs_same_libc PROGRAM - the test looks into it.
needs_same_libc() {
	same_libc "$1" || skip_because "musl: $1 is of another libc here"
}

# root_report - of several, that of the process which forked the others.
root_report() {
	local file
	for file in $(reports); do
		if [ "$(jq .process.fork_generation "$file")" = 0 ]; then
			echo "$file"
			return 0
		fi
	done
	return 1
}

# nothing_found - no report here has a finding that is an error.
nothing_found() {
	local each
	while read -r each; do
		assert_json '[.findings[] | select(.level == "error")] == []' "$each"
	done < <(reports)
}

# skip_because REASON - this machine cannot show it.
skip_because() {
	skip "$1"
}

# lacks REASON - the same for what a continuous integration must not miss: there it is a failure.
lacks() {
	if [ "${CI:-}" = true ]; then
		echo "must not be skipped here: $1" >&2
		return 1
	fi
	skip "$1"
}

# forkheld ARGUMENT... - the program under test, its two outputs apart: $output, $stderr; and $status.
forkheld() {
	status=0
	output=$("$FORKHELD_BIN" "$@" 2>stderr) || status=$?
	stderr=$(cat stderr)
}

# refused STATUS REASON - the last call ended with STATUS and said one line that has REASON.
refused() {
	[ "$status" -eq "$1" ] || { echo "status $status: $output $stderr"; return 1; }
	[ "$(wc -l <stderr)" -eq 1 ] || { echo "not one line: $stderr"; return 1; }
	[[ $stderr == *"$2"* ]] || { echo "no '$2' in: $stderr"; return 1; }
}
