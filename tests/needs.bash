# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# needs.bash - install what is missing, or say what to install. Sourced by tests/run, tools/demo and the matrix.

# need PACKAGE TEST... - remember PACKAGE as missing unless the command TEST succeeds.
NEEDS=()
need() {
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || NEEDS+=("$package")
}

have() {
	command -v "$1"
}

# have_meson - new enough?
have_meson() {
	local version
	version=$(meson --version) && [ "$(printf '1.0.1\n%s\n' "$version" | sort -V | head -n 1)" = 1.0.1 ]
}

# have_c PROGRAM-LINE [linker arguments] - does it compile and link?
have_c() {
	local line=$1 out status=0
	shift
	out=$(mktemp) || return 1
	printf '%s\nint main(void) { return 0; }\n' "$line" | cc -x c - -o "$out" "$@" || status=1
	rm -f "$out"
	return $status
}

# need_to_build - what compiles the library and the command line.
need_to_build() {
	need gcc have cc
	need libc6-dev have_c '#include <stdlib.h>'
	need ninja-build have ninja
	need meson have_meson
	need pkg-config have pkg-config
	need libjansson-dev have_c '#include <jansson.h>' -Wl,-Bstatic -ljansson -Wl,-Bdynamic
	need libunwind-dev have_c '#include <libunwind.h>'
	need libcapstone-dev have_c '#include <capstone/capstone.h>'
	need libdw-dev have_c '#include <elfutils/libdwfl.h>' -ldw
}

# install_needs - by apt, as root or through a sudo that asks nothing; elsewhere name the packages and end with 2.
install_needs() {
	[ ${#NEEDS[@]} -gt 0 ] || return 0
	local root=()
	if [ "$(id -u)" -ne 0 ]; then
		root=(sudo -n)
	fi
	if ! command -v apt-get >/dev/null || ! "${root[@]}" true 2>/dev/null; then
		echo "${0##*/}: missing, named as Debian's packages: ${NEEDS[*]}" >&2
		echo "${0##*/}: install them (or what your system calls them) and run this again" >&2
		exit 2
	fi
	echo "${0##*/}: installing ${NEEDS[*]}" >&2
	export DEBIAN_FRONTEND=noninteractive
	local log
	log=$(mktemp)
	if ! { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
		"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${NEEDS[@]}"; } \
		>"$log" 2>&1; then
		cat "$log" >&2
		echo "${0##*/}: could not install: ${NEEDS[*]}" >&2
		exit 2
	fi
	rm -f "$log"
	NEEDS=()
}

# build SOURCE BUILD - set the build up once, then compile; quiet unless it fails.
build() {
	local log=$2.log
	mkdir -p "$2"
	if [ ! -f "$2/build.ninja" ]; then
		if ! meson setup "$2" "$1" >"$log" 2>&1; then
			cat "$log" >&2
			return 1
		fi
	fi
	if ! meson compile -C "$2" >"$log" 2>&1; then
		cat "$log" >&2
		return 1
	fi
	rm -f "$log"
}

# ordinary_python - a CPython >= 3.9 that is no wrapper script, or nothing.
ordinary_python() {
	local candidate
	for candidate in ${PYTHON:-} /usr/bin/python3 "$(command -v python3)" /usr/bin/python3.[0-9] /usr/bin/python3.[0-9][0-9]; do
		[ -x "$candidate" ] || continue
		candidate=$("$candidate" -I -c 'import sys
if sys.implementation.name == "cpython" and sys.version_info >= (3, 9): print(sys.executable)' 2>/dev/null)
		if [ -n "$candidate" ]; then
			echo "$candidate"
			return 0
		fi
	done
	return 1
}
