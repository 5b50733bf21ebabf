# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# releases.bash - what is run in each release: one function release_NAME. Sourced by tests/matrix/run.
# Variables: release, its root, and the counts passed, failed and skipped.

# point NAME STATUS - count one test of the matrix itself.
point() {
	if [ "$2" -eq 0 ]; then
		echo "ok - $release: $1"
		passed=$((passed + 1))
	else
		echo "not ok - $release: $1"
		failed=$((failed + 1))
	fi
}

# log_of NAME - where a step's output goes.
log_of() {
	echo "$MATRIX_CACHE/$release-${1//[^a-z0-9]/-}.log"
}

# suite NAME USER COMMAND... - a run of tests inside, whose last line is counted.
suite() {
	local name=$1 user=$2 log last status words start=$SECONDS
	shift 2
	log=$(log_of "$name")
	inside "$root" "$user" "$@" >"$log" 2>&1
	status=$?
	last=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -n 1)
	if [ -z "$last" ]; then
		tail -n 40 "$log"
		point "$name: no counts" 1
		return
	fi
	grep -E '^(failed|skipped): ' "$log" | sed "s/^/$release: /"
	read -r -a words <<<"${last//,/}"
	[ "${words[2]}" -eq 0 ] || tail -n 200 "$log" | head -n 160
	echo "$release: $name: $last, $((SECONDS - start)) seconds"
	passed=$((passed + words[0]))
	failed=$((failed + words[2]))
	skipped=$((skipped + ${words[4]:-0}))
	if [ $status -ne 0 ] && [ "${words[2]}" -eq 0 ]; then
		point "$name: status $status" 1
	fi
}

# shown NAME USER PATTERN COMMAND... - a command inside that succeeds and prints what PATTERN says.
shown() {
	local name=$1 user=$2 pattern=$3 log
	shift 3
	log=$(log_of "$name")
	if inside "$root" "$user" "$@" >"$log" 2>&1 && grep -Pzoq "$pattern" "$log"; then
		point "$name" 0
	else
		tail -n 40 "$log"
		point "$name" 1
	fi
}

# packages NAME... - install them.
packages() {
	inside "$root" root sh -c 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		--no-install-recommends install "$@"' - "$@" >"$(log_of packages)" 2>&1
	point "packages $*" $?
}

# both_commands USER - the README's two, in a tree in which nothing was built before.
both_commands() {
	shown "tools/demo as $1" "$1" '(?s)FH002.*FH001|FH001.*FH002' tools/demo
	suite "tests/run as $1" "$1" tests/run "${@:2}"
}

# other_pythons - the tests that depend on the Python, with those of the release that are not its usual one.
other_pythons() {
	local extra others
	extra=$(inside "$root" root apt-cache --names-only search '^python3\.[0-9]+$' | sed 's/ .*//' | sort -V |
		sed 's/.*/& &-dev &-venv/')
	# shellcheck disable=SC2086
	packages $extra
	# shellcheck disable=SC2016
	others=$(inside "$root" root sh -c \
		'ls /usr/bin/python3.[0-9]* | grep -v -e -config -e "$(readlink -f /usr/bin/python3)"')
	[ -n "$others" ] || { point "other pythons" 1; return; }
	suite "tests with the other pythons" root env FORKHELD_PYTHONS="${others//$'\n'/ }" tests/run integration groundtruth
}

# oldest_binary - the demo and the situations with the library that the oldest libc built: every other must load it.
oldest_binary() {
	local file
	[ -f "$MATRIX_CACHE/oldest-libforkheld.so" ] || return 0
	cp "$MATRIX_CACHE/oldest-libforkheld.so" "$root/root/forkheld/build/"
	for file in demo situations; do
		# shellcheck disable=SC2016
		suite "oldest binary, $file" root bash -c \
			'FORKHELD_LIB=$PWD/build/oldest-libforkheld.so tests/integration/by-hand build tests/integration/$1.bats --tap |
			awk "{print} /^ok .*# skip/ {s++; next} /^ok/ {p++} /^not ok/ {f++}
				END {printf \"%d passed, %d failed, %d skipped\\n\", p, f, s}"' - "$file"
	done
}

# builds_by_hand - where only the shared jansson is packaged and libunwind is not at all: the README's commands for the
# archive, word by word, with Debian's source of jansson; then what that library says of itself, and what one says
# that was built with libunwind's headers.
builds_by_hand() {
	local commands
	root=$(root_of "$release" "$here" builds) || { point "a root" 1; return; }
	sed 's/^deb /deb-src /' "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/source.list"
	packages gcc libc6-dev meson ninja-build pkg-config cmake dpkg-dev jq binutils python3
	commands=$root/root/archive
	{
		echo 'set -ex; cd "$HOME"; apt-get -q source jansson; mv jansson-*/ jansson; cp -r jansson forkheld; cd forkheld'
		sed -n '/^cmake -S jansson/,/^PKG_CONFIG_PATH/p' "$here/README.md"
		echo 'meson compile -C build'
	} >"$commands"
	# shellcheck disable=SC2016
	inside "$root" root sh -c 'exec bash "$HOME/archive"' >"$(log_of 'builds by hand')" 2>&1
	point "a jansson archive as the README says, no libunwind headers" $?
	[ ! -f "$MATRIX_CACHE/oldest-libforkheld.so" ] || cp "$MATRIX_CACHE/oldest-libforkheld.so" "$root/tmp/oldest.so"
	# shellcheck disable=SC2016
	inside "$root" root bash -exc '
		readelf -dW build/src/libforkheld.so build/tools/forkheld >/tmp/needed
		readelf --dyn-syms -W build/src/libforkheld.so >/tmp/symbols
		[ "$(grep -c -e NEEDED.*jansson -e json_ /tmp/needed /tmp/symbols | grep -vc ":0$")" -eq 0 ]
		cd /tmp
		says() { build=$HOME/forkheld/build; rm -f r.json
			FORKHELD_OUTPUT=r.json LD_PRELOAD=$1 $build/tests/fixtures/native/repeat 3
			jq -e ".registrations | length == 4" r.json
			jq -e ".capabilities | map(select(.name == \"native.stacks\"))[0] | .state == \"none\"
				and (.reason | test(\"$2\"))" r.json; }
		says ~/forkheld/build/src/libforkheld.so "built without libunwind"
		[ ! -f oldest.so ] || says /tmp/oldest.so "libunwind-[a-z0-9_]*.so"
		~/forkheld/build/tools/forkheld doctor -- python3 | grep "^limit  unwinder"
		~/forkheld/build/tools/forkheld run -o p.json -- python3 -c "import random"
		jq -e ".snapshot.complete and (.registrations | length > 0)" p.json
	' >>"$(log_of 'builds by hand')" 2>&1
	point "what is said where there is no libunwind" $?
}

# musl - the other libc: the library and its C tests, built with Debian's compiler for it.
musl() {
	sed 's/^deb /deb-src /' "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/source.list"
	packages musl-tools gcc g++ libc6-dev make cmake meson ninja-build pkg-config dpkg-dev autoconf automake libtool bats jq \
		binutils python3-jsonschema
	suite "musl" root tests/matrix/musl /root/musl
}

# old_tools - bullseye is older than the build tools asked for: take those few, all scripts, from the next release. And its
# jsonschema looks references up in the schema's own name, which is no address: validate by a schema without one.
old_tools() {
	local schema=$root/root/forkheld/tools/schema/forkheld-report.schema.json
	jq 'del(."$id")' "$schema" >"$schema.new" && mv "$schema.new" "$schema" || return 1
	sed 's/bullseye/bookworm/' "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/next.list"
	printf 'Package: *\nPin: release n=bookworm\nPin-Priority: 100\n' >"$root/etc/apt/preferences.d/next"
	packages meson/bookworm bats/bookworm ninja-build
}

# The oldest libc and Python.
release_bullseye() {
	root=$(root_of "$release" "$here") || { point "a root" 1; return; }
	old_tools || { point "build tools" 1; return; }
	suite "tests" root tests/run unit lint integration groundtruth
	cp "$root/root/forkheld/build/src/libforkheld.so" "$MATRIX_CACHE/oldest-libforkheld.so"
}

release_bookworm() {
	root=$(root_of "$release" "$here") || { point "a root" 1; return; }
	both_commands root
	shown "tools/demo otel as root" root '(?s)FH002.*FH003' tools/demo otel
	both_commands guest unit lint
	musl
	builds_by_hand
}

# Everything as an ordinary user as well.
release_trixie() {
	root=$(root_of "$release" "$here") || { point "a root" 1; return; }
	both_commands root
	suite "ground truth" root tests/run groundtruth
	both_commands guest
}

# The newest libc, and the newest Pythons.
release_forky() {
	root=$(root_of "$release" "$here") || { point "a root" 1; return; }
	both_commands root
	suite "ground truth" root tests/run groundtruth
	other_pythons
	both_commands guest unit lint
	oldest_binary
}
