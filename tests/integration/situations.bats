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

# shown SITUATION - what `forkheld show` says of its report, into $output; shared by those below.
shown() {
	drop_reports
	preloaded "$(newest_python)" "$FIXTURES/python/situations/$1.py"
	run "$FORKHELD_BIN" show "$(report)"
	[ "$status" -eq 0 ]
	echo "$output"
}

# part_of RULE - the lines of the first finding of that rule in $output.
part_of() {
	sed -n "/^$1 /,/^\$/p" <<<"$output" | sed '/^$/q'
}

@test "show: an owner that another one merely refers to is not among what that one retains" {
	shown owner_behind_owner
	! part_of FH001 | grep -q "__main__\.B" || false
	part_of FH001 | grep -q '^     \.__self__  __main__\.A  *retains 1.0 MB$'
	part_of FH001 | grep -q "^        .*list  *retains 1.0 MB$"
	# What B needs to go is said: its registration first, A's and A after it.
	part_of FH002 | head -n 2 | grep -q '^  registered .*owner_behind_owner.py:32 '
	part_of FH002 | grep -A2 '^  which are held by further owners' | grep -q '__main__\.A '
	part_of FH002 | grep -q '2.1 MB in [46] objects would be freed if registrations and containers let go together$'
	part_of FH002 | grep -q '^  removing the registration alone frees 0 bytes, because$'
	[ "$(part_of FH002 | grep -c '^  fork handler')" -eq 1 ]
}

@test "show: a child that two owners of a signature share is among what they retain" {
	shown shared_child
	part_of FH001 | grep -q '^        \.[a-z]*  .*retains 1.0 MB$'
	shown owners_in_a_circle
	part_of FH001 | grep -q 'would be freed if the registrations let go together$'
	[ "$(part_of FH001 | grep -c '^  registered ')" -eq 2 ]
}
