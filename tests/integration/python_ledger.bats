#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the ledger says about registrations from Python: callables, phases, owners, stacks, threads, order, calls.

load common

LEDGER=$FIXTURES/python/ledger

# frames_of($r): the frames of a registration's stack; mine($file): the registrations whose innermost frame is in $file.
DEFINE='
def frames_of($r): . as $d | [.stacks[] | select(.id == $r.stack) | .frames[]]
	| map(. as $f | $d.frames[] | select(.id == $f));
def mine($file): . as $d | [.registrations[] | select(.kind == "python") | . as $r
	| select(($d | frames_of($r) | .[0].file // "") | endswith($file))];
'

# says FILTER [REPORT] - assert_json with the definitions above.
says() {
	assert_json "$DEFINE $1" "${2:-$(report)}"
}

# line_of FILE COMMENT - the number of the line with "# COMMENT".
line_of() {
	grep -n "# $2\$" "$LEDGER/$1" | cut -d: -f1
}

# each_python FUNCTION - call it for each CPython, as $python, with no report left from the last.
each_python() {
	local python
	for python in $(pythons); do
		echo "$python"
		drop_reports
		"$1"
	done
}

frames() {
	local printed start end main other first second third
	# Not out of a pipe that is still open: the report is there when the program has ended.
	printed=$(preloaded "$python" "$LEDGER/frames.py")
	read -r start end main other <<<"$printed"
	first=$(line_of frames.py first) second=$(line_of frames.py second) third=$(line_of frames.py third)
	says 'mine("/frames.py") | length == 3'
	# Callables, phases, owners.
	says 'mine("/frames.py")[0] | .phases == ["before", "child"] and [.callables[].phase] == .phases'
	says 'mine("/frames.py")[0].callables[0] | .type == "function" and .qualname == "handler" and .module == "__main__"
		and (.file | endswith("/frames.py")) and .line == '"$(grep -n '^def handler' "$LEDGER/frames.py" | cut -d: -f1)"
	says 'mine("/frames.py")[0].callables[1] | .type == "method" and .qualname == "Owner.method"
		and (.file | endswith("/frames.py"))'
	says 'mine("/frames.py")[0] as $r | $r.owner.kind == "object" and $r.owner.type == "Owner"
		and $r.owners == [$r.owner.object] and (.objects[] | select(.id == $r.owner.object) | .type == "Owner")'
	says 'mine("/frames.py")[1] | .owner.kind == "function" and .owners == [] and .frees.bytes == 0'
	says 'mine("/frames.py")[2].callables[0] | .qualname == "<lambda>"'
	says '[mine("/frames.py")[].strength] | unique == ["strong"]'
	# Stacks, innermost first; threads; order; time.
	says '. as $d | mine("/frames.py")[0] | . as $r | $d | [frames_of($r)[].function] == ["inner", "outer", "<module>"]'
	says '. as $d | mine("/frames.py")[0] | . as $r | $d | frames_of($r)[0] | .line == '"$first"
	says '. as $d | mine("/frames.py")[1] | . as $r | $d | frames_of($r) | .[0].line == '"$second"'
		and .[0].function == "in_thread" and (.[-1].file | endswith("threading.py"))'
	says '. as $d | mine("/frames.py")[2] | . as $r | $d | [frames_of($r)[] | [.function, .line]] == [["<module>", '"$third"']]'
	says "[mine(\"/frames.py\")[].thread] == [$main, $other, $main]"
	says 'mine("/frames.py") | ([.[].sequence] | . == (sort | unique)) and ([.[].time_ns] | . == sort)'
	says "[mine(\"/frames.py\")[0].time_ns, $start, $end] | .[1] <= .[0] and .[0] <= .[2]"
	says 'mine("/frames.py") | all(.inherited == false and .removed == null)'
	says '[.findings[].rule] == ["FH001"]'
}

@test "callables, phases, owners, stacks with lines, threads and order" { each_python frames; }

taken_out() {
	preloaded "$python" "$LEDGER/taken_out.py"
	says 'mine("/taken_out.py") | [.[].removed] == ["host", null, null]'
	says 'mine("/taken_out.py")[0] | .callables[0].qualname == null and .frees.bytes == 0
		and .calls == {"before": 0, "parent": null, "child": 0}'
	says 'mine("/taken_out.py")[1] | [.callables[] | .qualname, .removed] == ["both", null, null, "host"]
		and .calls == {"before": 1, "parent": 0, "child": null}'
	says 'mine("/taken_out.py")[2] | .callables[0].qualname == "stays" and .calls.before == 1'
	says '.findings == []'
}

@test "callables that the program takes out of the interpreter's lists" { each_python taken_out; }

forks() {
	preloaded "$python" "$LEDGER/forks.py"
	# Five of Python's forks after the first registration, two after the second; spawn, system and vfork run none.
	says 'mine("/forks.py") | length == 2'
	says 'mine("/forks.py")[0].calls == {"before": 5, "parent": 5, "child": 0}'
	says 'mine("/forks.py")[1].calls | .before == 2 and .parent == 2'
	says '.forks.count >= 5'
}

@test "handlers' calls are counted by the forks that Python makes" { each_python forks; }

inherited() {
	local child
	child=$(preloaded "$python" "$LEDGER/inherited.py")
	local report=forkheld.$child.json
	says 'mine("/inherited.py") | [.[].inherited] == [true, true, false, false]' "$report"
	says '.process.fork_generation == 1' "$report"
	says 'mine("/inherited.py")[0].calls | .child == 1' "$report"
	says 'mine("/inherited.py")[2].calls.before == 0' "$report"
	# An error of the child's own registration is one; what the parent registered is a note in the child.
	says '. as $d | [.findings[] | select(.rule == "FH001")] | length > 0
		and all(. as $f | [$f.registrations[] as $i | $d.registrations[] | select(.id == $i) | .inherited]
			| if all then $f.level == "note" else $f.level == "error" end)' "$report"
	says '[.findings[].level] | index("error") != null' "$report"
	for report in $(reports); do
		case $report in
		*".$child.json") ;;
		*)
			says '[.findings[] | [.rule, .level, .count]] == [["FH001", "error", 1]]' "$report"
			says 'mine("/inherited.py") | [.[].inherited] == [false, false]' "$report"
			;;
		esac
	done
}

@test "a child's report tells what it inherited from what it made" { each_python inherited; }

extension() {
	local include directory
	include=$("$python" -I -c 'import sysconfig; print(sysconfig.get_path("include"))')
	[ -f "$include/Python.h" ] || { echo "no Python.h"; return 0; }
	directory=$BATS_TEST_TMPDIR/extension
	mkdir -p "$directory"
	"${CC:-cc}" -O2 -shared -fPIC -I"$include" -o "$directory/registrar.abi3.so" "$FIXTURES/embed/registrar.c"
	preloaded PYTHONPATH="$directory" "$python" -c $'import registrar\nregistrar.register()'
	says '[.registrations[] | select(.kind == "python") | select(.callables[0].qualname == "registered_by_c")] | length == 1'
	says '. as $d | .registrations[] | select(.callables[0].qualname == "registered_by_c") | . as $r
		| $d | frames_of($r)[0] | .file == "<string>" and .line == 2'
	says '[.registrations[] | select(.callables[0].qualname == "at_import_by_c") ] | length == 1'
	says '. as $d | .registrations[] | select(.callables[0].qualname == "at_import_by_c") | . as $r
		| $d | frames_of($r) | any(.file == "<string>" and .line == 1)'
	[ "$(preloaded "$python" -c 'print("same")')" = same ]
}

@test "a C extension's registrations have the Python line that called it" { each_python extension; }

late() {
	local library
	library=$("$python" -I -c 'import sysconfig, os, sys
if not sysconfig.get_config_var("Py_ENABLE_SHARED"): sys.exit()
print(os.path.join(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")))')
	[ -f "$library" ] || { echo "not shared"; return 0; }
	[ -x late ] || "${CC:-cc}" -O2 -o late "$FIXTURES/embed/late.c" -ldl
	local home
	home=$("$python" -I -c 'import sys; print(sys.prefix)')
	run preloaded PYTHONHOME="$home" ./late "$library" "$FIXTURES/python/situations/bound_method.py"
	[ "$status" = 0 ]
	[ "$output" = "" ]
	says '[.findings[] | [.rule, .level, .count]] == [["FH001", "error", 1]]'
	says '.findings[0].site.file | endswith("bound_method.py")'
	says '.capabilities | map({(.name): .state}) | add | .["python.registrations"] == "full" and .["python.retention"] == "full"'
}

@test "a libpython that a program loads late is attached" { each_python late; }

unknown_name() {
	# Registrations by the interpreter's own code at start, before the program: seen, and no findings.
	preloaded "$python" -c 'import random, threading, logging'
	says '.findings == [] and ([.registrations[] | select(.kind == "python")] | length >= 3)'
	says '. as $d | [.registrations[] | select(.kind == "python") | . as $r | $d | frames_of($r) | length > 0] | all'
	says '[.registrations[] | select(.kind == "python") | .callables | length > 0] | all'
	says '[.registrations[] | select(.kind == "python") | .callables[] | .file] | any(. != null and endswith("threading.py"))'
}

@test "the standard library's registrations are listed with their sites" { each_python unknown_name; }
