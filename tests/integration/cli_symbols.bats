#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Names and lines of native frames after the fact: the right ones or none. A program says of its own calls where they are
# (tests/fixtures/symbols), a report is made of that, and show --live must print what the program said.
load common

setup() {
	common_setup
	unset DEBUGINFOD_URLS
	PROGRAM=$FIXTURES/symbols/program.cc
	MIDDLE=$(grep -n LINE_MIDDLE "$PROGRAM" | cut -d: -f1)
	OUTER=$(grep -n LINE_OUTER "$PROGRAM" | cut -d: -f1)
	"$FORKHELD_BIN" show --live "$SOURCE_ROOT/tests/fixtures/reports/live.json" >probe
	if grep -q 'built without libdw' probe; then lacks "forkheld was built without libdw"; fi
}

teardown() {
	if [ -s server ]; then kill "$(cat server)" || true; fi
	common_teardown
}

# compile [OPTION...] - the program as ./program, optimised, with a build-id.
compile() {
	c++ -O2 -Wl,--build-id "$@" -o program "$PROGRAM" -ldl
}

# build_id FILE
build_id() {
	readelf -n "$1" | sed -n 's/.*Build ID: //p'
}

# report_of PROGRAM - run it; "truth" is what it says, report.json has a site for each of its calls. Modules are known by the files as
# they are now.
report_of() {
	local modules='[]' path id=0
	"$@" >truth
	[ "$(wc -l <truth)" -eq 3 ]
	while read -r path; do
		modules=$(jq -c --argjson id $id --arg path "$(realpath "$path")" --arg given "$path" --arg build "$(build_id "$path")" \
			'. + [{id: $id, path: $path, given: $given, loaded: true, base: 0,
				build_id: (if $build == "" then null else $build end)}]' <<<"$modules")
		id=$((id + 1))
	done < <(cut -d' ' -f2 truth | sort -u)
	jq -R -n --argjson modules "$modules" --slurpfile base "$SOURCE_ROOT/tests/fixtures/reports/clean.json" '
		[inputs | split(" ")] as $calls | $base[0] | .modules = ($modules | map(del(.given))) |
		.frames = [range($calls | length) as $i | {id: $i, kind: "native", symbol: null,
			offset: ($calls[$i][0] | tonumber), module: ($modules[] | select(.given == $calls[$i][1]) | .id)}] |
		.stacks = [range($calls | length) | {id: ., frames: [.]}] |
		.allocations = {sites: [range($calls | length) | {stack: ., kind: "native", count: 1, bytes: (1000 - .),
			oldest_ns: null, newest_ns: null}], sites_dropped: 0, dropped: {count: 0, bytes: 0},
			native: {count: 3, bytes: 2997}, python: {count: 0, bytes: 0}, frames: 64, sample: 0}' <truth >report.json
}

# live [ARGUMENT...] - the rows of stacks, blanks squeezed: "allocated FUNCTION PLACE".
live() {
	"$FORKHELD_BIN" show --live --all --stacks "$@" report.json | sed -n 's/^  *//p' | tr -s ' ' >rows
	cat rows
}

# line_of FUNCTION - as the program said it.
line_of() {
	awk -v name="$1" '$3 == name {print $4}' truth
}

# all_named - functions, files, lines and inlined functions are what the program said.
all_named() {
	live >/dev/null
	grep -qxF "allocated pool::Buffer<int>::grow(int) $PROGRAM:$(line_of "pool::Buffer<int>::grow")" rows &&
		grep -qE "^allocated hidden(\(\))? $PROGRAM:$(line_of hidden)$" rows &&
		grep -A2 -E "^allocated innermost(\(\))? $PROGRAM:$(line_of innermost) \(inlined\)$" rows >nest &&
		sed -n 2p nest | grep -qE "^called from middle(\(\))? $PROGRAM:$MIDDLE \(inlined\)$" &&
		sed -n 3p nest | grep -qxF "outer $PROGRAM:$OUTER" && return
	cat truth rows
	return 1
}

# none_named - places are module+offset, and no function has a name but those given as arguments.
none_named() {
	local offset module function line wrong=0
	live
	while read -r offset module function line; do
		grep -qE " ${module##*/}\+$(printf '0x%x' "$offset")$" rows || { echo "lost $function"; wrong=1; }
	done <truth
	[ $wrong -eq 0 ]
	grep -E '^(allocated|called from) ' rows | grep -vE "^[a-z ]+ ($(IFS='|'; echo "\\?|$*")) " >wrongly || true
	cat wrongly
	[ ! -s wrongly ]
}

@test "debug information in the program itself: PIE and not, old and new formats" {
	local way
	for way in "-pie -fPIE" "-no-pie -fno-pie" "-gdwarf-4" "-gdwarf-5" "-g3 -gz"; do
		echo "with $way"
		# shellcheck disable=SC2086
		compile -g $way
		report_of ./program
		all_named
	done
}

@test "without the index of addresses that some compilers do not write" {
	compile -g
	objcopy --remove-section .debug_aranges program
	report_of ./program
	all_named
}

@test "debug information split into .dwo files" {
	compile -g -gsplit-dwarf
	report_of ./program
	all_named
}

@test "a shared library" {
	c++ -O2 -g -fPIC -shared -DAS_LIBRARY -Wl,--build-id -o libprogram.so "$PROGRAM" -ldl
	cc -o program "$FIXTURES/symbols/main.c" -L. -lprogram -Wl,-rpath,"$PWD"
	report_of ./program
	all_named
}

@test "a separate debug file by its link: beside the program, in .debug" {
	compile -g
	objcopy --only-keep-debug program program.debug
	objcopy --strip-all --add-gnu-debuglink=program.debug program
	report_of ./program
	all_named
	mkdir .debug
	mv program.debug .debug
	all_named
	rm .debug/program.debug
	none_named
}

@test "a debug file of another build is not taken" {
	compile -g
	objcopy --only-keep-debug program program.debug
	objcopy --strip-all --add-gnu-debuglink=program.debug program
	report_of ./program
	sed 's/LINE_MIDDLE/LINE_MIDDLE */; /^namespace pool/i #define SHIFTED 1\n' "$PROGRAM" >other.cc
	c++ -O1 -g -Wl,--build-id -o other other.cc -ldl
	[ "$(build_id other)" != "$(build_id program)" ]
	objcopy --only-keep-debug other program.debug
	none_named
}

@test "a debug file by nothing but its build-id, also of a program that is gone" {
	compile -g
	local id folder
	id=$(build_id program)
	folder=/usr/lib/debug/.build-id/${id:0:2}
	mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ] || skip "only root may write to /usr/lib/debug"
	report_of ./program
	objcopy --only-keep-debug program "$folder/${id:2}.debug"
	objcopy --strip-all program
	all_named || { rm "$folder/${id:2}.debug"; return 1; }
	rm program
	all_named || { rm "$folder/${id:2}.debug"; return 1; }
	rm "$folder/${id:2}.debug"
	rmdir --ignore-fail-on-non-empty "$folder"
	none_named
}

@test "debuginfod, where it is set up and not otherwise" {
	ldconfig -p | grep -q libdebuginfod.so.1 || skip "no libdebuginfod"
	compile -g
	local id port
	id=$(build_id program)
	mkdir -p "served/buildid/$id"
	objcopy --only-keep-debug program "served/buildid/$id/debuginfo"
	objcopy --strip-all program
	cp program "served/buildid/$id/executable"
	/usr/bin/python3 -u -c '
import functools, http.server
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="served")
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()' >port 2>requests 3>&- &
	echo $! >server
	for _ in {1..100}; do [ -s port ] && break; sleep 0.1; done
	port=$(cat port)
	report_of ./program
	export DEBUGINFOD_CACHE_PATH=$PWD/cache
	none_named
	[ ! -s requests ]
	export DEBUGINFOD_URLS=http://127.0.0.1:$port
	live --no-symbols
	[ ! -s requests ]
	local status=0
	all_named || status=1
	# The program is gone as well.
	rm -rf program cache
	all_named || status=1
	[ $status -eq 0 ]
}

@test "stripped: module and offset; an exported function only where its size covers the address" {
	compile -g
	strip program
	report_of ./program
	none_named
	compile -rdynamic
	strip program
	report_of ./program
	none_named outer 'pool::Buffer<int>::grow\(int\)'
	grep -q '^allocated outer program+0x' rows
}

@test "symbols without debug information" {
	compile
	report_of ./program
	none_named outer 'hidden(\(\))?' 'pool::Buffer<int>::grow\(int\)'
	grep -qE '^allocated hidden(\(\))? program\+0x' rows
}

@test "a symbol says nothing of what lies behind its end, nor one without a size" {
	cat >gap.s <<-'ASM'
		.globl covered, sizeless, gap
		.type covered, @function
		.type sizeless, @function
		.text
		covered: nop; nop; ret
		.size covered, .-covered
		gap: .skip 64, 0x90
		sizeless: nop; nop; ret
		.skip 64, 0x90
		.section .note.GNU-stack,"",@progbits
	ASM
	cc -shared -nostdlib -Wl,--build-id -o gap.so gap.s
	compile
	report_of ./program
	local start
	start=$((16#$(nm gap.so | awk '$3 == "covered" {print $1}')))
	jq --arg path "$PWD/gap.so" --arg build "$(build_id gap.so)" --argjson start $start '
		.modules = [{id: 0, path: $path, build_id: $build, base: 0, loaded: true}] | .frames[].module = 0 |
		.frames[0].offset = $start + 1 | .frames[1].offset = $start + 20 | .frames[2].offset = $start + 68' report.json >gap.json
	mv gap.json report.json
	live
	grep -qx "allocated covered gap.so+0x$(printf %x $((start + 1)))" rows
	grep -qx "allocated ? gap.so+0x$(printf %x $((start + 20)))" rows
	grep -qx "allocated ? gap.so+0x$(printf %x $((start + 68)))" rows
}

@test "a program that was changed after the report, or removed, or has no build-id gives no name" {
	compile -g
	report_of ./program
	# What stands in the report itself is true, whatever became of the file.
	jq '.frames[2].symbol = "known_then"' report.json >with.json
	c++ -O0 -g -Wl,--build-id -DCHANGED -o program "$PROGRAM" -ldl
	none_named
	mv with.json report.json
	none_named known_then
	"$FORKHELD_BIN" show --live report.json | grep -q "^no source of $PWD/program: its file is another than then"
	rm program
	none_named known_then
	"$FORKHELD_BIN" show --live report.json | grep -q "^no source of $PWD/program: its file cannot be opened"
	c++ -O2 -g -Wl,--build-id=none -o program "$PROGRAM" -ldl
	report_of ./program
	none_named
	"$FORKHELD_BIN" show --live report.json | grep -q "^no source of $PWD/program: it has no build-id"
}

@test "a file that is no program, a pipe, a cut one: no name, no hang, no crash" {
	compile -g
	report_of ./program
	cp program whole
	rm program
	mkfifo program
	timeout 20 "$FORKHELD_BIN" show --live report.json >/dev/null
	none_named
	rm program
	echo "no ELF" >program
	none_named
	local size
	for size in 64 1000 5000 12000; do
		head -c $size whole >program
		live
	done
}

@test "--no-symbols opens no file" {
	compile -g
	report_of ./program
	live --no-symbols
	[ "$(grep -c '^allocated ? program+0x' rows)" -eq 3 ]
	if command -v strace >/dev/null; then
		strace -f -e trace=openat,open -o trace "$FORKHELD_BIN" show --live --no-symbols report.json >/dev/null
		[ "$(grep -c "$PWD/program\"" trace)" -eq 0 ]
	fi
}

# keeps_line MARK - of keeps.c.
keeps_line() {
	echo "$FIXTURES/symbols/keeps.c:$(grep -nw "$1" "$FIXTURES/symbols/keeps.c" | cut -d: -f1)"
}

@test "a real run: what was kept, from whole stacks with inlined functions; the exports agree" {
	cc -O2 -g -Wl,--build-id -o keeps "$FIXTURES/symbols/keeps.c"
	preloaded ./keeps
	mv "$(report)" report.json
	live >/dev/null
	cat rows
	grep -A2 -xF "allocated make $(keeps_line LINE_MAKE) (inlined)" rows | tail -n 2 |
		diff - <(printf '%s\n' "called from store $(keeps_line LINE_STORE)" "main $(keeps_line LINE_CALL)")
	"$FORKHELD_BIN" show --live report.json | grep -q '^1.0 MB in 10 blocks  native, '
	grep -qx "allocated main $(keeps_line LINE_CALLOC)" rows
	"$FORKHELD_BIN" export -f folded report.json >folded
	grep -qE ";main \(.*\);store \(.*\);make \(.*\) [0-9]+$" folded
	[ "$(awk '{sum += $NF} END {print sum}' folded)" -eq "$(jq .summary.blocks.live_bytes report.json)" ]
	"$FORKHELD_BIN" export -f folded -c report.json >folded
	[ "$(awk '{sum += $NF} END {print sum}' folded)" -eq "$(jq .summary.blocks.live report.json)" ]
}
