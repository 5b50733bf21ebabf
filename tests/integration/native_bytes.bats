#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The native memory under Python objects that only fork handlers hold, against what malloc's blocks lose when they die.

load common

# As users run their programs: meson has blocks filled.
export MALLOC_PERTURB_=0

# beneath PYTHON [CASE...] - each line "case said freed". The snapshots are asked for by the fixture.
beneath() {
	preloaded FORKHELD_OPTIONS=report=findings "$1" "$FIXTURES/python/beneath.py" "${@:2}" | jq -r '@tsv'
}

@test "never more than is really freed, and nothing that ordinary memory leads to as well" {
	local python case said freed wrong=0
	for python in $(pythons); do
		while read -r case said freed; do
			echo "$python $case $said of $freed"
			[ "$said" -le "$freed" ] || wrong=1
			case $case in shared | word) [ "$said" -eq 0 ] || wrong=1 ;; esac
		done < <(beneath "$python")
		drop_reports
	done
	[ $wrong -eq 0 ]
}

# in_tries FOUND - does FOUND PYTHON say yes for each Python, at the latest the third time? A number that looks like an
# address may speak against a block, by where the kernel has put the heap this time.
in_tries() {
	local python try
	for python in $(pythons); do
		for try in 1 2 3; do
			! "$1" "$python" || break
			[ $try -lt 3 ] || return 1
		done
	done
}

# all_of PYTHON CASE - is all that is freed found? all_of_text PYTHON, all_of_code, all_of_lists
all_of() {
	local case said freed
	read -r case said freed < <(beneath "$1" "$2")
	echo "$1 $case $said of $freed"
	drop_reports
	[ "$said" -eq "$freed" ] && [ "$said" -ge 5000 ]
}
all_of_text() {
	all_of "$1" text
}
all_of_lists() {
	all_of "$1" lists
}
all_of_code() {
	"$1" -c 'import sys; sys.exit(sys.version_info >= (3, 11))' || all_of "$1" code
}

@test "an address in six bytes of a bytes object is no pointer, nor is one in code" {
	in_tries all_of_text
	in_tries all_of_code
}

@test "behind the entries of the fork lists there are no pointers" {
	in_tries all_of_lists
}

# nearly_all PYTHON - are nine tenths found of what is freed?
nearly_all() {
	local case said freed found=0 all=0
	while read -r case said freed; do
		echo "$1 $case $said of $freed"
		found=$((found + said)) all=$((all + freed))
	done < <(beneath "$1" zlib_compressor zlib_many bz2 hash pointer sqlite)
	drop_reports
	[ $all -gt 0 ] && [ $((found * 10)) -ge $((all * 9)) ]
}

@test "what is found is nearly all of it" {
	in_tries nearly_all
}

# compressors PYTHON - are those of two objects found?
compressors() {
	drop_reports
	preloaded "$1" - <<-'PYTHON'
		import os, zlib
		class Holder:
		    every = []
		    def __init__(self):
		        self.compressor = zlib.compressobj()
		    def child(self):
		        pass
		class Joint(Holder):
		    def __init__(self):
		        super().__init__()
		        Joint.every.append(self)
		class Used(Holder):
		    pass
		for make in Holder, Joint, Used:
		    holder = make()
		    os.register_at_fork(after_in_child=holder.child)
		used = holder
		del holder
	PYTHON
	jq -e '[.objects[] | select(.type | test("Holder|Joint")).native_bytes | . > 200000] == [true, true]' "$(report)"
}

@test "bytes that a registration alone frees, a joint owner, and one in use" {
	in_tries compressors
	assert_json '[.objects[] | select(.type == "Holder") | .native_bytes > 200000 and .verdict == "fork-only"] == [true]'
	assert_json '[.objects[] | select(.type == "Joint") | .native_bytes > 200000 and .verdict == "joint"] == [true]'
	assert_json '[.objects[] | select(.type == "Used") | .native_bytes, .verdict] == [null, "in-use"]'
	assert_json '.summary.fork_only.native_bytes as $all | [.objects[] | select(.type == "Holder") | .native_bytes] == [$all]'
	assert_json '[.registrations[] | .frees.native_bytes | select(. > 0)] | length == 1'
	assert_json '.capabilities[] | select(.name == "native.retention") | .state == "full"'
}

# left [NAME=VALUE...] - does a block of malloc's, in each Python, have what an earlier one has left?
left() {
	local python
	for python in $(pythons); do
		alone "$@" "$python" "$FIXTURES/python/leftovers.py" || return
	done | sort -u
}

@test "no small block of an extension's begins with what an earlier one has left, a large one does, and a filled one stays so" {
	glibc_only "blocks come as they are"
	local with=LD_PRELOAD=$FORKHELD_LIB setting
	left A=1 | tee without
	! grep zero without || false
	for setting in A=1 PYTHONMALLOC=malloc PYTHONMALLOC=debug PYTHONTRACEMALLOC=1; do
		left "$with" $setting >zeroed
		diff <(sed '/20000/! s/left$/zero/' without) zeroed
	done
	for setting in alloc=off alloc=native alloc=python sample=4096; do
		left "$with" FORKHELD_OPTIONS=$setting >kept
		diff without kept
	done
	left MALLOC_PERTURB_=9 >filled
	grep filled filled
	left "$with" MALLOC_PERTURB_=9 | diff filled -
}

# A program with a compressor that only its registration keeps.
HOLDER='
import os, zlib
class Holder:
    def __init__(self):
        self.compressor = zlib.compressobj()
    def child(self):
        pass
os.register_at_fork(after_in_child=Holder().child)'

@test "where blocks are not all recorded nothing is said, and why" {
	local setting
	for setting in alloc=off alloc=native alloc=python sample=4096; do
		preloaded FORKHELD_OPTIONS=$setting "$(newest_python)" -c "$HOLDER"
		assert_json '[.objects[] | select(.type == "Holder") | .native_bytes] == [null]'
		assert_json '.summary.fork_only.native_bytes == null'
		assert_json '.capabilities[] | select(.name == "native.retention") | .state == "none" and (.reason | test("'${setting%%=*}'"))'
		drop_reports
	done
}
