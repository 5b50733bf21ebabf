#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The OpenTelemetry SDK as PyPI has it: five instances each, shut down and forgotten. First the truth without the
# library, by weak references and the interpreter's own counts; then the report must say exactly that.

load common
load ../otel

READER=opentelemetry/sdk/metrics/_internal/export/__init__.py
SPANS=opentelemetry/sdk/trace/export/__init__.py
LOGS=opentelemetry/sdk/_logs/_internal/export/__init__.py

# chosen_pythons - 3.11 where there is one, and the newest of 3.12 and 3.13, or else 3.14: the first of the two every day.
chosen_pythons() {
	local python minor first= second= newer=
	while read -r python; do
		minor=$("$python" -I -c 'import sys; print(sys.version_info[1])')
		case $minor in
		11) first=$python ;;
		12 | 13) second=$python ;;
		14) newer=$python ;;
		esac
	done < <(PYTHONS_WANTED= pythons)
	second=${second:-$newer}
	case ${PYTHONS_WANTED:-} in
	everyday) [ -z "$first" ] || second= ;;
	others) [ -z "$first" ] || first= ;;
	esac
	# shellcheck disable=SC2086
	printf '%s\n' $first $second
}

# installer PYTHON NAME - an environment that has pip, to fill the others from: pip takes longer to install than the SDK.
installer() {
	local venv=$BUILD_ROOT/tests/otel/pip-$2
	(
		exec 9>"$venv.lock"
		flock 9
		[ -f "$venv/complete" ] && exit 0
		rm -rf "$venv"
		"$1" -m venv "$venv" >&2 && touch "$venv/complete"
	) 3>&- && echo "$venv/bin/python"
}

# environment PYTHON SDK-VERSION - a virtual environment, made once for a build directory; prints its Python.
environment() {
	local name venv pip
	name=$("$1" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
	venv=$BUILD_ROOT/tests/otel/$name-$2
	mkdir -p "${venv%/*}"
	(
		exec 9>"$venv.lock"
		flock 9
		[ -f "$venv/complete" ] && exit 0
		rm -rf "$venv"
		pip=$(installer "$1" "$name") && "$1" -m venv --without-pip "$venv" >&2 &&
			otel_install "$pip" "$venv/bin/python" "$2" >"$venv/pip.log" &&
			touch "$venv/complete"
	) 3>&- || { cat "$venv/pip.log" >&2; return 1; }
	echo "$venv/bin/python"
}

setup_file() {
	local python version
	for python in $(chosen_pythons); do
		for version in 1.27.0 1.28.0 1.31.0 1.32.0 1.43.0 1.44.0; do
			echo "$python $version"
		done
	done >"$BATS_FILE_TMPDIR/wanted"
	# Three at a time: half of it is waiting for the network.
	export -f environment installer otel_install
	xargs -r -P 3 -n 2 bash -c 'environment "$1" "$2" >/dev/null 2>"$0.$$" || mv "$0.$$" "$0"' "$BATS_FILE_TMPDIR/missing" \
		<"$BATS_FILE_TMPDIR/wanted" 3>&-
}

setup() {
	common_setup
	if [ -f "$BATS_FILE_TMPDIR/missing" ]; then
		tail -n 3 "$BATS_FILE_TMPDIR/missing" >&2
		lacks "no OpenTelemetry from PyPI: $(tail -n 1 "$BATS_FILE_TMPDIR/missing")"
	fi
	[ -n "$(chosen_pythons)" ] || lacks "no CPython 3.11 to 3.14"
}

# told TRUTH VERSION PROGRAM [ARGUMENT] - on every chosen Python: run PROGRAM with and without the library. TRUTH (a jq
# filter) must hold of what it tells, both must tell the same, and the function check_it of the test of the report.
told() {
	local truth=$1 version=$2 program=$3 python interpreter seen=0
	shift 3
	for python in $(chosen_pythons); do
		interpreter=$(environment "$python" "$version")
		echo "python $python, opentelemetry-sdk $version, $program"
		plain "$interpreter" "$FIXTURES/otel/$program.py" "$@" >plain.out 2>plain.err
		preloaded "$interpreter" "$FIXTURES/otel/$program.py" "$@" >preloaded.out 2>preloaded.err
		cat plain.out preloaded.err
		jq -s -e "add | $truth" plain.out
		diff plain.out preloaded.out
		diff plain.err preloaded.err
		assert_json '.snapshot.complete and .snapshot.isolation == "copy"'
		assert_json '[.capabilities[] | select(.name | test("^(python|native).registrations|^python.retention")).state] |
			all(. == "full")'
		check_it "$(jq -s -c add plain.out)"
		drop_reports
		seen=$((seen + 1))
	done
	[ "$seen" -gt 0 ]
}

# findings JSON - the findings are these, as [rule, level, count], and no others.
findings() {
	assert_json "([.findings[] | [.rule, .level, .count]] | sort) == ($1 | sort)"
}

# owner_retains TRUTH - what the only finding says would die is what the program counted, to the byte.
owner_retains() {
	assert_json ".findings[0] | .bytes == $(jq .bytes <<<"$1") and .freed_objects == $(jq .objects <<<"$1")"
}

# allocated PROGRAM - the owners of the only finding were all allocated at the marked line of the program's function one,
# not in the SDK, and each occupies at least its own bytes.
allocated() {
	local line
	line=$(sed -n '/# allocated$/=' "$FIXTURES/otel/$1.py")
	assert_json ".findings[0].allocated | .function == \"one\" and (.file | endswith(\"/otel/$1.py\")) and .line == $line
		and .places == 1 and .approximate == false"
	assert_json '.findings[0].objects as $ids | [.objects[] | select(.id | IN($ids[]))] |
		length > 0 and all(.allocated != null and .age_ns > 0 and .block_bytes >= .bytes)'
}

# site LEVEL FUNCTION FILE - of the FH003 finding of that level, or of the only finding.
site() {
	assert_json "[.findings[] | select(.level == \"$1\").site] |
		length == 1 and (.[0].function | endswith(\"$2\")) and (.[0].file | endswith(\"/site-packages/$3\")) and .[0].line > 0"
}

# registered COUNT FILE - so many registrations were made by that file, each for the child alone.
registered() {
	assert_json ". as \$report | [.registrations[] | select(.kind == \"python\" and .stack != null) |
		. as \$r | \$report.stacks[] | select(.id == \$r.stack).frames[0] as \$f | \$report.frames[] |
		select(.id == \$f and (.file | endswith(\"/site-packages/$2\"))) | \$r] |
		length == $1 and all(.phases == [\"child\"] and (.inherited | not))"
}

@test "1.27.0: a periodic reader lives by its fork handler and the class's set together" {
	check_it() {
		findings '[["FH002", "error", 5]]'
		site error __init__ $READER
		registered 5 $READER
		owner_retains "$1"
		allocated metric_reader
		assert_json '. as $r | [.objects[] | select(.type == "PeriodicExportingMetricReader")] |
			length == 5 and all(.verdict == "joint" and
				.module == "opentelemetry.sdk.metrics._internal.export" and
				(.registrations | length) == 1 and .retained_bytes > .bytes)'
		assert_json '(.findings[0].objects | sort) ==
			([.objects[] | select(.type == "PeriodicExportingMetricReader").id] | sort)'
		# The four direct references: two from outside, two of its own circle.
		assert_json '[.objects[] | select(.type == "PeriodicExportingMetricReader") | .holders] | all(
			(map(select(.scope == "outside").kind) | sort) == ["class-attribute", "fork-registration"] and
			(map(select(.scope == "own")) | length) == 2)'
		assert_json '[.objects[] | select(.type == "PeriodicExportingMetricReader") | .holders[] |
			select(.kind == "class-attribute").path] | length == 5 and all(. ==
			["module opentelemetry.sdk.metrics._internal", ".MeterProvider", "._all_metric_readers", "{set item}"])'
		assert_json '[.objects[] | select(.type == "PeriodicExportingMetricReader") |
			.registrations[0] as $id | .holders[] | select(.kind == "fork-registration").registration == $id] |
			length == 5 and all'
		# Removing a registration alone frees nothing.
		assert_json '.findings[0].registrations as $ids | [.registrations[] | select(.id | IN($ids[])) |
			.frees.objects, .frees.bytes] | length == 10 and all(. == 0)'
		# The exporter dies with the reader: what the readers retain is all that the program saw die.
		assert_json "[.objects[] | select(.type == \"PeriodicExportingMetricReader\").retained_objects] | add ==
			$(jq .objects <<<"$1")"
		assert_json '.summary.fork_only.objects == 0 and .summary.joint.objects > 0'
	}
	told '.reader == 5 and .exporter == 5 and .provider == 0' 1.27.0 metric_reader
}

@test "1.27.0: why names the four references that keep a reader alive" {
	local python
	for python in $(chosen_pythons); do
		preloaded "$(environment "$python" 1.27.0)" "$FIXTURES/otel/metric_reader.py"
		run "$FORKHELD_BIN" why "$(report)" PeriodicExportingMetricReader
		echo "$output"
		[ "$status" -eq 0 ]
		[ "$(grep -c '4 direct references: 2 from outside, 2 of its own circle' <<<"$output")" -eq 5 ]
		[ "$(grep -c 'outside .*class-attribute .*sdk.metrics._internal.MeterProvider._all_metric_readers' <<<"$output")" -eq 5 ]
		[ "$(grep -c 'outside .*fork-registration' <<<"$output")" -eq 5 ]
		[ "$(grep -c 'own .*_reader_storages' <<<"$output")" -eq 5 ]
		[ "$(grep -c 'own .*metric_readers {list item}' <<<"$output")" -eq 5 ]
		drop_reports
	done
}

@test "1.28.0 to 1.43.0: the readers are gone, their handlers raise at the next fork" {
	check_it() {
		findings '[["FH003", "error", 5]]'
		registered 5 $READER
		site error __init__ $READER
		assert_json '.findings[0].bytes == 0 and .summary.fork_only.objects == 0 and .summary.joint.objects == 0'
		assert_json '.findings[0].registrations as $ids | [.registrations[] | select(.id | IN($ids[])).strength] |
			length == 5 and all(. == "dead-weak")'
	}
	local version
	for version in 1.28.0 1.31.0 1.32.0 1.43.0; do
		told '.reader == 0 and .exporter == 0 and .provider == 0' $version metric_reader
	done
}

@test "1.44.0: as before, and a guarded handler for each provider" {
	check_it() {
		findings '[["FH003", "error", 5], ["FH003", "warning", 5]]'
		registered 5 $READER
		registered 5 opentelemetry/sdk/metrics/_internal/__init__.py
		site error __init__ $READER
		site warning __init__ opentelemetry/sdk/metrics/_internal/__init__.py
	}
	told '.reader == 0 and .exporter == 0 and .provider == 0' 1.44.0 metric_reader
}

@test "1.27.0 and 1.31.0: a batch span processor lives by its fork handler alone" {
	check_it() {
		findings '[["FH001", "error", 5]]'
		registered 5 $SPANS
		site error __init__ $SPANS
		owner_retains "$1"
		allocated span_processor
		assert_json '[.objects[] | select(.type == "BatchSpanProcessor")] | length == 5 and
			all(.verdict == "fork-only" and ([.holders[] | select(.scope == "outside").kind] == ["fork-registration"]))'
		assert_json '.findings[0].registrations as $ids | [.registrations[] | select(.id | IN($ids[])).frees.objects] |
			length == 5 and all(. > 1)'
	}
	local version
	for version in 1.27.0 1.31.0; do
		told '.processor == 5 and .exporter == 5' $version span_processor
	done
}

@test "1.27.0 and 1.31.0: a batch log record processor lives by its fork handler alone" {
	check_it() {
		findings '[["FH001", "error", 5]]'
		registered 5 $LOGS
		site error __init__ $LOGS
		owner_retains "$1"
		allocated log_processor
		assert_json '[.objects[] | select(.type == "BatchLogRecordProcessor")] | length == 5 and
			all(.verdict == "fork-only")'
	}
	local version
	for version in 1.27.0 1.31.0; do
		told '.processor == 5 and .exporter == 5' $version log_processor
	done
}

@test "1.32.0 to 1.44.0: batch processors are gone, their handlers raise at the next fork" {
	check_it() {
		findings '[["FH003", "error", 5]]'
		assert_json '.summary.fork_only.objects == 0 and .findings[0].bytes == 0'
		assert_json '.findings[0].site.function | endswith("__init__")'
	}
	local version
	for version in 1.32.0 1.43.0 1.44.0; do
		told '.processor == 0 and .exporter == 0' $version span_processor
		told '.processor == 0 and .exporter == 0' $version log_processor
	done
}

@test "1.27.0: readers that only the class's set keeps are no business of fork handlers" {
	check_it() {
		findings '[]'
		assert_json '.summary.fork_only.objects == 0 and .summary.joint.objects == 0'
	}
	told '.reader == 5' 1.27.0 in_memory_reader
}

@test "a reader in use gives no finding" {
	check_it() {
		assert_json '[.findings[] | select(.rule != "FH003")] == []'
		findings '[]'
		assert_json '[.objects[] | select(.type == "PeriodicExportingMetricReader")] | length == 1 and
			.[0].verdict == "in-use" and ([.[0].holders[] | select(.scope == "outside").kind] | index("module-attribute") != null)'
	}
	local version
	for version in 1.27.0 1.28.0 1.31.0 1.32.0 1.43.0 1.44.0; do
		told '.reader == 1 and .provider == 1' $version metric_reader_in_use
	done
}

@test "1.44.0: tracer providers are gone, their guarded handlers stay" {
	check_it() {
		findings '[["FH003", "warning", 5]]'
		registered 5 opentelemetry/sdk/trace/__init__.py
		assert_json '.summary.fork_only.objects == 0 and .summary.joint.objects == 0'
	}
	told '.provider == 0' 1.44.0 tracer_provider 5
}

@test "1.44.0: from the limit on, the repeated registration is reported too" {
	check_it() {
		findings '[["FH003", "warning", 8]]'
	}
	told '.provider == 0' 1.44.0 tracer_provider 8
	check_it() {
		findings '[["FH003", "warning", 9], ["FH004", "warning", 9]]'
	}
	told '.provider == 0' 1.44.0 tracer_provider 9
}

@test "earlier than 1.44.0, a tracer provider registers nothing" {
	check_it() {
		findings '[]'
	}
	told '.provider == 0' 1.27.0 tracer_provider 5
	told '.provider == 0' 1.43.0 tracer_provider 5
}

@test "exporters with a gRPC channel, 1.27.0: the native memory beneath them is told" {
	local python interpreter name pip exporter=opentelemetry.exporter.otlp.proto.grpc.trace_exporter
	# Its protobuf is older than the newest CPythons: the first that it can be imported in, without the library.
	for python in $(chosen_pythons); do
		interpreter=$(environment "$python" 1.27.0)
		name=$("$python" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
		pip=$(installer "$python" "$name")
		rm -rf grpc
		"$pip" -m pip --disable-pip-version-check install -q --target grpc opentelemetry-exporter-otlp-proto-grpc==1.27.0 \
			>pip.log 2>&1 || { cat pip.log; lacks "no gRPC exporter from PyPI: $(tail -n 1 pip.log)"; }
		PYTHONPATH="$PWD/grpc" "$interpreter" -c "import $exporter" 2>errors && break
		grep -q "Metaclasses with custom tp_new are not supported" errors
		interpreter=
	done
	[ -n "$interpreter" ] || skip_because "the exporter's protobuf does not load in CPython $name"
	preloaded PYTHONPATH="$PWD/grpc" "$interpreter" "$FIXTURES/otel/grpc_exporters.py" 2>errors || { cat errors; false; }
	# gRPC has handlers of its own, and no symbols.
	assert_json '[.findings[] | select(.rule != "FH005" or .level != "note") | [.rule, .level, .count]]
		== [["FH001", "error", 5], ["FH002", "error", 5]]'
	assert_json '[.objects[] | select((.type == "BatchSpanProcessor" or .type == "PeriodicExportingMetricReader")
		and .verdict != "in-use") | .native_bytes] | length == 10 and all(. > 0)'
	assert_json '.summary.fork_only.native_bytes as $all
		| [.objects[] | select(.type == "BatchSpanProcessor") | .native_bytes] | add == $all'
	assert_json '[.registrations[] | select(.frees.native_bytes > 0)] | length == 5'
}
