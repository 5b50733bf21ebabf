#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The blocks that nothing leads to, against LeakSanitizer's word on the same program: tests/fixtures/native/leaks.c.

load common

native=${BUILD_ROOT:-}/tests/fixtures/native

# ours CASE - "COUNT BYTES" of the report.
ours() {
	drop_reports
	preloaded FORKHELD_OPTIONS=leaks=1 "$native/leaks" "$1" "$native/leaks_plugin.so"
	jq_report '"\(.unreachable.count) \(.unreachable.bytes)"'
}

# theirs CASE - the same of LeakSanitizer, whose lists end in a summary if there is anything on them.
theirs() {
	plain LSAN_OPTIONS=exitcode=0 "$native/leaks_judged" "$1" "$native/leaks_plugin.so" 2>&1 |
		awk '/^SUMMARY: LeakSanitizer/ {count = $7; bytes = $3} /fatal|rror: Leak.*has enc/ {bad = 1}
			END {if (bad) exit 1; print count + 0, bytes + 0}'
}

@test "LeakSanitizer says the same of each case, but for what mapped memory points at" {
	[ -x "$native/leaks_judged" ] || glibc_only "no leak sanitizer for it"
	[ -x "$native/leaks_judged" ] || lacks "no leak sanitizer"
	plain "$native/leaks_judged" freed 2>/dev/null || skip_because "the leak sanitizer cannot look at processes here"
	local case mine other wrong=0 count=0
	while read -r case; do
		mine=$(ours "$case")
		other=$(theirs "$case")
		echo "$case: $mine, LeakSanitizer $other"
		count=$((count + 1))
		if [ "$case" = mapped ]; then
			[ "$mine" = "0 0" ] && [ "$other" = "1 1000" ] || wrong=1
		else
			[ "${mine% *}" = "${other% *}" ] || wrong=1
			# Large blocks are whole pages.
			[ "$mine" = "$other" ] || [ "${other#* }" -gt 100000 ] || wrong=1
		fi
	done < <(plain "$native/leaks")
	[ $count -ge 29 ]
	[ $wrong -eq 0 ]
}

@test "what is leaked by name is found, what is held by name is not" {
	local case mine
	while read -r case; do
		mine=$(ours "$case")
		echo "$case: $mine"
		case $case in
		# Free memory cannot be told from musl's own blocks, so that what lies there counts.
		leaked_in_a_freed_one) [ "$(libc_of "$FORKHELD_LIB")" = musl ] || [ "$mine" != "0 0" ] ;;
		# glibc has called and forgotten that one by then; LeakSanitizer says so as well.
		held_by_late_atexit) [ "$(libc_of "$FORKHELD_LIB")" = glibc ] || [ "$mine" = "0 0" ] ;;
		leaked*) [ "$mine" != "0 0" ] ;;
		*) [ "$mine" = "0 0" ] ;;
		esac
	done < <(plain "$native/leaks")
}

@test "by place, most bytes first; not asked for it is null, and no finding in either case" {
	ours leaked_indirectly
	assert_json '[.unreachable.sites[] | [.count, .bytes]] == [[1, 1000], [1, 24], [1, 24]]'
	assert_json '.unreachable.sites[0].stack as $id | .frames[.stacks[$id].frames[0]].symbol == "leaked_indirectly"'
	assert_json '.findings == [] and .unreachable.sites_dropped == 0'
	ours leaked_many
	assert_json '[.unreachable.sites[] | [.count, .bytes]] == [[1000, 24000]]'
	drop_reports
	preloaded "$native/leaks" leaked
	assert_json '.unreachable == null and .findings == []'
}
