#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Where Python's objects were allocated: the fixtures in tests/fixtures/python/alloc say themselves what the report must say.

load common

# allocated PYTHON [NAME=VALUE...] [FIXTURE...]
allocated() {
	echo "$*"
	alone FORKHELD_LIB="$FORKHELD_LIB" "${SCHEMA_PYTHON:-/usr/bin/python3}" "$FIXTURES/python/check_alloc.py" "$@"
}

@test "every fixture, on every Python" {
	local python
	for python in $(pythons); do
		allocated "$python"
	done
}

@test "whatever the interpreter allocates with" {
	local python mode
	for python in $(pythons | sed -n '1p;3p;$p'); do
		for mode in PYTHONMALLOC=debug PYTHONMALLOC=malloc PYTHONMALLOC=malloc_debug PYTHONMALLOC=pymalloc PYTHONDEVMODE=1; do
			allocated "$python" $mode calls recursion outer_goes_on threads code_dies tracing large interpreters
		done
		# CPython itself hangs or dies when tracemalloc meets other interpreters.
		allocated "$python" PYTHONTRACEMALLOC=5 calls recursion outer_goes_on threads code_dies tracing large
	done
}

@test "without native frames, and with the innermost frame alone" {
	allocated "$(newest_python)" FORKHELD_OPTIONS=alloc=python
	allocated "$(newest_python)" FORKHELD_OPTIONS=alloc=python:frames=4 callbacks threads code_dies
}
