#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every situation of a Python fork registration, on every CPython of this machine: the fixtures in
# tests/fixtures/python/situations say themselves what the report must say.

load common

# on VERSION [ARGUMENT...] - all fixtures on each Python of that version; skipped where there is none.
on() {
	local version=$1 python found= failed=
	shift
	while read -r python; do
		"$python" -I -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" || continue
		found=1
		echo "$python"
		"${SCHEMA_PYTHON:-/usr/bin/python3}" "$FIXTURES/python/check_situations.py" "$@" "$python" || failed=1
	done < <(pythons)
	[ -n "$found" ] || skip_because "no CPython $version here"
	[ -z "$failed" ]
}

@test "the situations' own expectations are true" {
	local python
	for python in $(pythons | sed -n '1p;$p'); do
		"${SCHEMA_PYTHON:-/usr/bin/python3}" "$FIXTURES/python/check_situations.py" --truth "$python"
	done
}

@test "situations on CPython 3.9" { on 3.9; }
@test "situations on CPython 3.10" { on 3.10; }
@test "situations on CPython 3.11" { on 3.11; }
@test "situations on CPython 3.12" { on 3.12; }
@test "situations on CPython 3.13" { on 3.13; }
@test "situations on CPython 3.14" { on 3.14; }
@test "situations on CPython 3.15" { on 3.15; }
