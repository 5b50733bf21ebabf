#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is different on musl: a library that is loaded stays, and registrations carry no handle.

load common

native=${BUILD_ROOT:-}/tests/fixtures/native

setup() {
	common_setup
	[ "$(libc_of "$FORKHELD_LIB")" = musl ] || skip_because "glibc"
}

@test "the report names the libc and its version" {
	preloaded "$native/repeat" 3
	local version
	version=$(/lib/ld-musl-*.so.1 2>&1 | sed -n 's/^Version //p')
	assert_json ".process.libc == {name: \"musl\", version: \"$version\"}"
}

@test "dlclose takes no handler away, and none is left without code: nothing to find" {
	local case
	for case in closed dangling foreign closed-in-handler; do
		drop_reports
		run preloaded "$native/plugins" $case "$native/plugin.so"
		[ "$status" -eq 7 ] && [ "$output" = done ]
		assert_json '.findings == [] and (.registrations | length > 0) and ([.registrations[].removed] | all(. == null))'
		assert_json '.registrations[0] | .callables[0].symbol == "plugin_prepare" and .callables[0].module != null'
	done
	drop_reports
	preloaded "$native/plugins" closed "$native/plugin.so" || true
	assert_json '.registrations[0].calls == {before: 2, parent: 2, child: 0}'
}

@test "a plugin that is opened again is the same module, and registers a second time" {
	run preloaded "$native/plugins" reloaded "$native/plugin.so"
	[ "$status" -eq 7 ]
	assert_json '.findings == [] and [.registrations[].removed] == [null, null]'
	assert_json '[.modules[] | select(.path | endswith("/plugin.so")) | .loaded] == [true]'
	assert_json '[.registrations[].calls.before] == [3, 1]'
}

@test "the program by its real path, however it was started; the vdso is another module" {
	ln -s "$native/repeat" link
	run preloaded ./link 3
	[ "$status" -eq 0 ]
	assert_json '[.modules[].path] | index("'"$native"'/repeat") != null and index("linux-vdso.so.1") != null'
	assert_json '[.modules[] | select(.path | endswith("/repeat"))] | length == 1'
}

@test "blocks whose only pointer lies in memory that the libc allocated for itself are in use" {
	local case
	for case in held_by_late_atexit held_by_a_library; do
		drop_reports
		preloaded FORKHELD_OPTIONS=leaks=1 "$native/leaks" $case "$native/leaks_plugin.so"
		assert_json '.unreachable.count == 0'
	done
}

@test "doctor says which programs the library is for" {
	forkheld doctor -- "$native/repeat" 3
	echo "$output"
	[[ $output == *"musl /lib/ld-musl-"* ]]
	same_libc /bin/true && skip_because "all programs here are musl's"
	forkheld doctor -- /bin/true
	echo "$output"
	[[ $output == *"limit  libc"*"this library is built for musl"* ]]
}
