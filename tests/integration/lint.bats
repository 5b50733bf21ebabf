#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The laws of the house: who may include whom, how long a file may be, what the library shows and needs.

load common

# rank FLOOR - native and python stand on the same height, and so never meet.
rank() {
	case $1 in
	base) echo 1 ;; ledger) echo 2 ;; retention) echo 3 ;; native | python) echo 4 ;;
	report) echo 5 ;; snapshot) echo 6 ;; entry) echo 7 ;;
	*) return 1 ;;
	esac
}

# sources DIRECTORY... - every C source and header below them.
sources() {
	(cd "$SOURCE_ROOT" && find "$@" -name '*.[ch]' | sort)
}

# quoted_includes FILE - what it includes between quotation marks.
quoted_includes() {
	sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$SOURCE_ROOT/$1"
}

@test "a floor includes only lower floors" {
	local file floor included other wrong=0
	while read -r file; do
		floor=${file#src/}
		floor=${floor%%/*}
		[ -n "$(rank "$floor")" ] || { echo "$file: no such floor"; wrong=1; continue; }
		while read -r included; do
			case $included in
			forkheld/*) continue ;;
			*/*) other=${included%%/*} ;;
			*) other=$floor ;;
			esac
			if [ ! -f "$SOURCE_ROOT/src/$other/${included#"$other"/}" ]; then
				echo "$file: \"$included\" is not in src"
				wrong=1
			elif [ "$other" != "$floor" ] && [ "$(rank "$other")" -ge "$(rank "$floor")" ]; then
				echo "$file: $floor includes $other"
				wrong=1
			fi
		done < <(quoted_includes "$file")
	done < <(sources src)
	[ $wrong -eq 0 ]
}

@test "the tools include nothing of src" {
	local file included wrong=0
	while read -r file; do
		while read -r included; do
			case $included in
			forkheld/*.h) [ -f "$SOURCE_ROOT/include/$included" ] ;;
			*) [ -f "$SOURCE_ROOT/tools/$included" ] || [ -f "$SOURCE_ROOT/$(dirname "$file")/$included" ] ;;
			esac || { echo "$file: includes \"$included\""; wrong=1; }
		done < <(quoted_includes "$file")
	done < <(sources tools)
	[ $wrong -eq 0 ]
}

@test "only native/unwind knows libunwind, only native/decode capstone, only report jansson" {
	run grep -rlE '#[[:space:]]*include[[:space:]]*<libunwind' "$SOURCE_ROOT/src"
	local file
	for file in "${lines[@]}"; do
		[[ $file == */src/native/unwind*.[ch] ]]
	done
	run grep -rlE '#[[:space:]]*include[[:space:]]*<capstone' "$SOURCE_ROOT/src"
	for file in "${lines[@]}"; do
		[[ $file == */src/native/decode*.[ch] ]]
	done
	run grep -rlE '#[[:space:]]*include[[:space:]]*<jansson' "$SOURCE_ROOT/src"
	for file in "${lines[@]}"; do
		[[ $file == */src/report/*.[ch] ]]
	done
}

@test "no file is longer than 500 lines, no line than 120 columns" {
	local file wrong=0
	while read -r file; do
		if [ "$(wc -l <"$SOURCE_ROOT/$file")" -gt 500 ]; then
			echo "$file: more than 500 lines"
			wrong=1
		fi
		if ! expand -t 4 "$SOURCE_ROOT/$file" | awk -v file="$file" \
			'length > 120 {print file ":" NR ": more than 120 columns"; bad = 1} END {exit bad}'; then
			wrong=1
		fi
	done < <(sources src include tools tests)
	[ $wrong -eq 0 ]
}

@test "every source names its licence, and none ends a line in blanks" {
	local file wrong=0
	while read -r file; do
		head -n 2 "$SOURCE_ROOT/$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
			{ echo "$file: no licence"; wrong=1; }
		! grep -nE '[[:blank:]]+$' "$SOURCE_ROOT/$file" /dev/null || wrong=1
	done < <(sources src include tools tests)
	[ $wrong -eq 0 ]
}

@test "the library exports what the list says, and nothing else" {
	nm -D --defined-only "$FORKHELD_LIB" | awk '{print $3}' | sed 's/@@*.*//' | grep -v '^GLIBC_' | LC_ALL=C sort -u >exported
	grep -v '^#' "$SOURCE_ROOT/tests/integration/exports.txt" | LC_ALL=C sort -u >listed
	diff listed exported
}

@test "the library needs nothing but libc" {
	run bash -c 'readelf -d "$1" | sed -n "s/.*(NEEDED).*\[\(.*\)\]/\1/p"' - "$FORKHELD_LIB"
	local needed
	echo "needed: ${lines[*]}"
	for needed in "${lines[@]}"; do
		# libdl and libpthread are parts of libc that had files of their own before glibc 2.34.
		[[ $needed =~ ^(libc\.so\.6|libdl\.so\.2|libpthread\.so\.0|libc\.musl-.*|libc\.so|ld-(linux|musl)-.*)$ ]]
	done
}

@test "no test looks away where something must not be" {
	# bash's -e passes over a negated command that fails, unless it is the last.
	! grep -nE '^[[:space:]]+! ' "$SOURCE_ROOT"/tests/*/*.bats "$SOURCE_ROOT"/tests/*/*.bash | grep -v '||' || false
}

@test "the library has no text relocation, no executable stack and binds at once" {
	! readelf -d "$FORKHELD_LIB" | grep -q TEXTREL || false
	readelf -lW "$FORKHELD_LIB" | grep GNU_STACK | grep -qv E
	readelf -d "$FORKHELD_LIB" | grep -qE 'BIND_NOW|NOW'
}

@test "jansson and libunwind stay out of sight" {
	! nm -D "$FORKHELD_LIB" | grep -E ' (json_|jansson|unw_|_U[a-z0-9_]*_|_Unwind_)' || false
}

@test "the library's thread-local memory is small" {
	local size
	size=$(readelf -lW "$FORKHELD_LIB" | awk '$1 == "TLS" {print $6}')
	echo "TLS: $((${size:-0})) bytes"
	[ $((${size:-0})) -le 256 ]
}
