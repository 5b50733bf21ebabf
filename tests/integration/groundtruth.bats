#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a report calls fork-only is what really dies: the programs find the interpreter's lists themselves, clear them,
# collect, and the object allocator's frees are compared with the report.

load common

PACKAGES="attrs jinja2 requests pyyaml"

# version_of PYTHON
version_of() {
	"$1" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'
}

# deaths PYTHON - a directory with the watching module, built for it; fails where its headers are missing.
deaths() {
	local directory include
	directory=$BUILD_ROOT/tests/deaths/$(version_of "$1")
	include=$("$1" -I -c 'import sysconfig; print(sysconfig.get_path("include"))')
	[ -f "$include/Python.h" ] || return 1
	mkdir -p "$directory"
	"${CC:-cc}" -O2 -shared -fPIC -I"$include" -o "$directory/deaths.so.$$" "$FIXTURES/python/groundtruth/deaths.c" &&
		mv "$directory/deaths.so.$$" "$directory/deaths.so"
	echo "$directory"
}

# venv PYTHON - one with the larger program's packages, made once.
venv() {
	local venv
	venv=$BUILD_ROOT/tests/groundtruth/$(version_of "$1")
	if [ ! -f "$venv/complete" ]; then
		rm -rf "$venv"
		# shellcheck disable=SC2086
		"$1" -m venv "$venv" >&2 &&
			"$venv/bin/python" -m pip install -q --disable-pip-version-check $PACKAGES >"$venv/pip.log" 2>&1 &&
			touch "$venv/complete" || { cat "$venv/pip.log" >&2; return 1; }
	fi
	echo "$venv/bin/python"
}

# measure PYTHON [PROGRAM] - PYTHON may be a venv's; the JSON of check_groundtruth.py.
measure() {
	/usr/bin/env -u LD_PRELOAD /usr/bin/python3 "$FIXTURES/python/check_groundtruth.py" "$1" "$2" "${@:3}"
}

# holds FILTER FILE
holds() {
	jq -e "$1" "$2" >/dev/null || { echo "not true: $1"; cat "$2"; return 1; }
}

@test "a larger program: all that is reported died, and nearly all that died is reported" {
	local python directory shown=
	for python in $(pythons); do
		directory=$(deaths "$python") || { echo "# no Python.h: $python" >&3; continue; }
		echo "$python"
		measure "$(venv "$python")" "$directory" "$FIXTURES/python/groundtruth/larger.py" >measured
		holds '.wrong == []' measured
		holds '.dead.objects >= 10000 and .dead.types >= 10' measured
		holds '.reported.bytes >= 0.97 * .dead.bytes' measured
		holds '.reported.objects >= 0.90 * .dead.objects' measured
		shown=1
	done
	[ -n "$shown" ] || lacks "no CPython with its headers"
}

@test "the situations: all that is reported died, and nearly all that died is reported" {
	local python directory shown=
	for python in $(pythons); do
		directory=$(deaths "$python") || continue
		echo "$python"
		measure "$python" "$directory" >measured
		holds '.wrong == []' measured
		holds '.dead.types >= 10' measured
		holds '.reported.bytes >= 0.97 * .dead.bytes' measured
		shown=1
	done
	[ -n "$shown" ] || lacks "no CPython with its headers"
}

@test "random heaps: what is reported, and what each registration frees alone, is what dies" {
	local python directory shown=
	for python in $(pythons); do
		directory=$(deaths "$python") || continue
		echo "$python"
		measure "$python" "$directory" random 1 6 >measured
		holds '.wrong == []' measured
		holds '.reported.bytes >= 0.97 * .dead.bytes and .reported.objects >= 0.90 * .dead.objects' measured
		shown=1
	done
	[ -n "$shown" ] || lacks "no CPython with its headers"
}
