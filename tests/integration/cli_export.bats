#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# forkheld export: each format as its viewers read it, by readers that are not ours where they can be had.
load common

setup() {
	common_setup
	SAMPLES=$SOURCE_ROOT/tests/fixtures/reports
	LIVE=$SAMPLES/live.json
}

# expected - what the sample has, from its own JSON: "BYTES COUNT INNERMOST;...;OUTERMOST", functions only.
expected() {
	jq -r '. as $r | ($r.allocations.sites[] | . as $s | "\(.bytes) \(.count) " + (if .stack == null then "[site unknown]" else
			[$r.stacks[] | select(.id == $s.stack) | .frames[] as $f | $r.frames[] | select(.id == $f) | . as $frame |
				.function // .symbol // (($r.modules[] | select(.id == $frame.module) | .path | sub(".*/"; "")) +
					"+0x" + (.offset | [recurse(if . > 15 then ./16 | floor else empty end) % 16] | reverse |
						map("0123456789abcdef"[.:.+1]) | join("")))] | join(";") end)),
		"\(.allocations.dropped.bytes) \(.allocations.dropped.count) [sites not listed in the report]"' "$LIVE" | sort
}

@test "folded: root first, names escaped, bytes or blocks; the totals are the report's" {
	forkheld export --format folded "$LIVE"
	[ "$status" -eq 0 ]
	diff - <(printf '%s\n' "$output") <<-'FOLDED'
		<module> (app.py:40);make_processor (app.py:31) 1081344
		main (/srv/app/main.py:99);load\x3ball (/srv/app/loader.py:12);fastlib.so+0x1388;buffer_new 70000
		libplain.so+0x320;libplain.so+0x384;libplain.so+0x320 4096
		[site unknown] 32
		[sites not listed in the report] 900
	FOLDED
	[ "$(awk '{sum += $NF} END {print sum}' <<<"$output")" -eq "$(jq .summary.blocks.live_bytes "$LIVE")" ]
	forkheld export --format folded --counts "$LIVE"
	[ "$(awk '{sum += $NF} END {print sum}' <<<"$output")" -eq "$(jq .summary.blocks.live "$LIVE")" ]
	[ "$(awk '{print $NF}' <<<"$output" | tr '\n' ' ')" = "2048 17 3 1 31 " ]
}

@test "speedscope: a profile in bytes and one in blocks" {
	forkheld export -f speedscope -o out.json "$LIVE"
	[ "$status" -eq 0 ] && [ -z "$output$stderr" ]
	jq -r '.shared.frames as $f | .profiles as [$b, $c] | range($b.samples | length) as $i |
		"\($b.weights[$i]) \($c.weights[$i]) \([$b.samples[$i][] | $f[.].name] | reverse | join(";"))"' out.json | sort |
		diff <(expected) -
	jq -e --slurpfile live "$LIVE" '.["$schema"] == "https://www.speedscope.app/file-format-schema.json" and
		.profiles[0].unit == "bytes" and .profiles[1].unit == "none" and all(.profiles[]; .type == "sampled" and
			.startValue == 0 and .endValue == (.weights | add) and (.samples | length) == (.weights | length)) and
		.profiles[0].endValue == $live[0].summary.blocks.live_bytes and
		.profiles[0].samples == .profiles[1].samples and
		(.shared.frames | length == (unique | length)) and
		any(.shared.frames[]; . == {name: "main", file: "/srv/app/main.py", line: 99})' out.json
}

@test "speedscope: what speedscope's own schema says" {
	command -v npm >/dev/null || skip "no npm to fetch speedscope's schema with"
	/usr/bin/python3 -c 'import jsonschema' || skip "python3-jsonschema is not installed"
	npm pack --silent speedscope@1.25.0 >/dev/null 2>npm.log || skip "speedscope's schema cannot be fetched"
	tar xzf speedscope-1.25.0.tgz package/dist/release/file-format-schema.json
	"$FORKHELD_BIN" export -f speedscope -o out.json "$LIVE"
	/usr/bin/python3 -c '
import json, jsonschema
schema = json.load(open("package/dist/release/file-format-schema.json"))
checker = jsonschema.Draft7Validator(schema)
checker.validate(json.load(open("out.json")))
broken = json.load(open("out.json"))
broken["profiles"][0]["unit"] = "parsecs"
assert not checker.is_valid(broken)'
}

# decode FILE - a pprof file in words, by Google's protobuf library and a description of the format written here.
decode() {
	/usr/bin/python3 - "$1" <<-'PYTHON'
		import sys
		from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

		FIELDS = {
		    "ValueType": [("type", 1, 3, 1), ("unit", 2, 3, 1)],
		    "Label": [("key", 1, 3, 1), ("str", 2, 3, 1), ("num", 3, 3, 1), ("num_unit", 4, 3, 1)],
		    "Sample": [("location_id", 1, 4, 3), ("value", 2, 3, 3), ("label", 3, "Label", 3)],
		    "Mapping": [("id", 1, 4, 1), ("memory_start", 2, 4, 1), ("memory_limit", 3, 4, 1), ("file_offset", 4, 4, 1),
		                ("filename", 5, 3, 1), ("build_id", 6, 3, 1), ("has_functions", 7, 8, 1), ("has_filenames", 8, 8, 1),
		                ("has_line_numbers", 9, 8, 1), ("has_inline_frames", 10, 8, 1)],
		    "Line": [("function_id", 1, 4, 1), ("line", 2, 3, 1)],
		    "Location": [("id", 1, 4, 1), ("mapping_id", 2, 4, 1), ("address", 3, 4, 1), ("line", 4, "Line", 3),
		                 ("is_folded", 5, 8, 1)],
		    "Function": [("id", 1, 4, 1), ("name", 2, 3, 1), ("system_name", 3, 3, 1), ("filename", 4, 3, 1),
		                 ("start_line", 5, 3, 1)],
		    "Profile": [("sample_type", 1, "ValueType", 3), ("sample", 2, "Sample", 3), ("mapping", 3, "Mapping", 3),
		                ("location", 4, "Location", 3), ("function", 5, "Function", 3), ("string_table", 6, 9, 3),
		                ("drop_frames", 7, 3, 1), ("keep_frames", 8, 3, 1), ("time_nanos", 9, 3, 1),
		                ("duration_nanos", 10, 3, 1), ("period_type", 11, "ValueType", 1), ("period", 12, 3, 1),
		                ("comment", 13, 3, 3), ("default_sample_type", 14, 3, 1)],
		}
		file = descriptor_pb2.FileDescriptorProto(name="profile.proto", package="p", syntax="proto3")
		for name, fields in FIELDS.items():
		    message = file.message_type.add(name=name)
		    for field, number, kind, label in fields:
		        added = message.field.add(name=field, number=number, label=label)
		        if isinstance(kind, str):
		            added.type, added.type_name = 11, ".p." + kind
		        else:
		            added.type = kind
		pool = descriptor_pool.DescriptorPool()
		pool.AddSerializedFile(file.SerializeToString())
		description = pool.FindMessageTypeByName("p.Profile")
		if hasattr(message_factory, "GetMessageClass"):
		    kind = message_factory.GetMessageClass(description)
		else:
		    kind = message_factory.MessageFactory(pool).GetPrototype(description)
		profile = kind()
		data = open(sys.argv[1], "rb").read()
		assert profile.ParseFromString(data) in (None, len(data))
		text = profile.string_table
		assert text[0] == "" and len(set(text)) == len(text)
		functions = {function.id: function for function in profile.function}
		mappings = {mapping.id: mapping for mapping in profile.mapping}
		locations = {location.id: location for location in profile.location}
		assert sorted(functions) == list(range(1, len(functions) + 1)) and 0 not in mappings and 0 not in locations
		print("types", *(f"{text[kind.type]}/{text[kind.unit]}" for kind in profile.sample_type))
		print("default", text[profile.default_sample_type], "period", profile.period, "time", profile.time_nanos)
		for comment in profile.comment:
		    print("comment", text[comment])
		for mapping in profile.mapping:
		    assert mapping.memory_start < mapping.memory_limit
		    print("mapping", text[mapping.filename], text[mapping.build_id] or "-", mapping.memory_start,
		          mapping.has_functions, mapping.has_filenames, mapping.has_inline_frames)
		for sample in profile.sample:
		    names, places = [], []
		    for place in sample.location_id:
		        location = locations[place]
		        if location.mapping_id:
		            mapping = mappings[location.mapping_id]
		            assert mapping.memory_start <= location.address < mapping.memory_limit
		        for line in location.line:
		            function = functions[line.function_id]
		            names.append(text[function.name])
		            places.append(f"{text[function.filename]}:{line.line}@{location.address}")
		    print("sample", sample.value[1], sample.value[0], ";".join(names))
		    print("places", *places)
		    print("labels", *(f"{text[label.key]}={text[label.str]}" for label in sample.label))
	PYTHON
}

@test "pprof: as protobuf reads it" {
	/usr/bin/python3 -c 'import google.protobuf' || lacks "python3-protobuf is not installed"
	forkheld export -f pprof -o out.pb "$LIVE"
	[ "$status" -eq 0 ] && [ -z "$output$stderr" ]
	decode out.pb >words
	cat words
	sed -n 's/^sample //p' words | sort | diff <(expected) -
	grep -qx 'types inuse_objects/count inuse_space/bytes' words
	grep -qx 'default inuse_space period 1 time 1767323046000000000' words
	# The program is the first mapping.
	[ "$(grep '^mapping' words | head -n 1)" = "mapping /usr/bin/python3.11 aa0001 94000000000000 False False False" ]
	grep -qx 'mapping /srv/app/fastlib.so aa0002 140000000000000 True False False' words
	grep -qx 'mapping /nowhere/libplain.so - 140000100000000 False False False' words
	grep -qx "places :0@$((140000000000000 + 4660)) :0@$((140000000000000 + 5000)) /srv/app/loader.py:12@0 /srv/app/main.py:99@0" words
	[ "$(grep '^labels' words | sort | uniq -c | tr -s ' ' | tr '\n' ',')" = " 1 labels, 3 labels allocator=native, 1 labels allocator=python," ]
	# An address in a module that was loaded nowhere known.
	jq '.modules[].base = null | .allocations.sample = 4096' "$LIVE" >nowhere.json
	"$FORKHELD_BIN" export -f pprof -o out.pb nowhere.json
	decode out.pb >words
	grep -qx 'comment estimated from a sample of the allocations' words
	grep -q ' period 4096 ' words
}

@test "pprof: as go tool pprof reads it" {
	command -v go >/dev/null || skip "no go tool pprof"
	"$FORKHELD_BIN" export -f pprof -o out.pb "$LIVE"
	HOME=$PWD go tool pprof -symbolize=none -sample_index=inuse_space -unit=B -top out.pb >top 2>&1
	cat top
	grep -qE '^ *1081344B .* 0 .*<module>$|^ *0 .* 1081344B .*<module>$' top
	grep -qE '^ *70000B .* buffer_new$' top
}

@test "native code with lines and inlined functions in every format" {
	local offset module function line build
	"$FORKHELD_BIN" show --live "$LIVE" | grep -q 'built without libdw' && lacks "forkheld was built without libdw"
	/usr/bin/python3 -c 'import google.protobuf' || lacks "python3-protobuf is not installed"
	c++ -O2 -g -Wl,--build-id -o program "$FIXTURES/symbols/program.cc" -ldl
	build=$(readelf -n program | sed -n 's/.*Build ID: //p')
	read -r offset module function line < <(./program | grep ' innermost ')
	jq --arg path "$PWD/program" --arg build "$build" --argjson offset "$offset" '.process.exe = $path |
		.modules = [{id: 0, path: $path, build_id: $build, base: 4096, loaded: true}] |
		.frames = [{id: 0, kind: "native", module: 0, offset: $offset, symbol: null},
			{id: 1, kind: "python", function: "<lambda>", file: "a b.py", line: 3}] |
		.stacks[].frames = [0, 1]' "$LIVE" >inlined.json
	"$FORKHELD_BIN" export -f folded inlined.json >folded
	grep -qE '^<lambda> \(a b.py:3\);outer \(.*/program.cc:[0-9]+\);middle(\(\))? \(.*\);innermost(\(\))? \(.*/program.cc:[0-9]+\) 1081344$' folded
	"$FORKHELD_BIN" export -f speedscope -o out.json inlined.json
	jq -e --argjson line "$line" '.shared.frames[0:4] as $f | .profiles[0].samples[0] == [0, 1, 2, 3] and
		$f[0] == {name: "<lambda>", file: "a b.py", line: 3} and ($f[3].name | startswith("innermost")) and
		$f[3].line == $line and ($f[3].file | endswith("/program.cc"))' out.json
	"$FORKHELD_BIN" export -f pprof -o out.pb inlined.json
	decode out.pb >words
	cat words
	grep -qE '^sample 1081344 2048 innermost(\(\))?;middle(\(\))?;outer;<lambda>$' words
	grep -qx "mapping $PWD/program $build 4096 True True True" words
	grep -qE "^places .*/program.cc:$line@$((offset + 4096)) " words
	"$FORKHELD_BIN" export -f folded --no-symbols inlined.json | grep -qE '^<lambda> \(a b.py:3\);program\+0x[0-9a-f]+ 1081344$'
}

@test "the same report gives the same bytes; standard input; -o -" {
	for format in folded speedscope pprof; do
		"$FORKHELD_BIN" export -f $format -o first "$LIVE"
		"$FORKHELD_BIN" export -f $format - <"$LIVE" >second
		"$FORKHELD_BIN" export -f $format -o - "$LIVE" >third
		cmp first second
		cmp first third
	done
}

@test "wrong command lines: one line, status 2" {
	forkheld export "$LIVE"; refused 2 "no --format"
	forkheld export -f; refused 2 "needs a value"
	forkheld export -f svg "$LIVE"; refused 2 "'svg' is not a format: folded, speedscope or pprof"
	forkheld export -f folded; refused 2 "no report"
	forkheld export -f folded "$LIVE" "$LIVE"; refused 2 "more than one report"
	forkheld export -f pprof --counts "$LIVE"; refused 2 "--counts is for the format folded"
	forkheld export -f folded --nonsense "$LIVE"; refused 2 "unknown option '--nonsense'"
	if command -v script >/dev/null; then
		status=0
		script -qec "'$FORKHELD_BIN' export -f pprof '$LIVE'" /dev/null </dev/null >typed || status=$?
		[ "$status" -eq 2 ]
		grep -q 'name a file with -o' typed
	fi
}

@test "unusable reports: status 3, and nothing is written" {
	forkheld export -f folded missing.json; refused 3 "missing.json: No such file"
	head -c 3000 "$LIVE" >cut.json
	forkheld export -f speedscope -o out cut.json; refused 3 "is truncated"
	[ ! -e out ]
	forkheld export -f pprof -o out "$SAMPLES/clean.json"
	refused 3 "clean.json: lists no live blocks"
	[ ! -e out ]
	jq '.allocations.sites = [] | .allocations.dropped = null' "$LIVE" >empty.json
	for format in folded speedscope pprof; do
		forkheld export -f $format -o out empty.json
		[ "$status" -eq 0 ]
	done
}

@test "a file that cannot be written: one line, status 2, no half of it left" {
	forkheld export -f folded -o no/such/place "$LIVE"; refused 2 "no/such/place: No such file or directory"
	forkheld export -f folded -o . "$LIVE"; refused 2 ".: Is a directory"
	[ -c /dev/full ] || skip "no /dev/full"
	forkheld export -f speedscope -o /dev/full "$LIVE"; refused 2 "/dev/full: No space left on device"
	[ -c /dev/full ]
	"$FORKHELD_BIN" export -f folded "$LIVE" >/dev/full 2>stderr || status=$?
	[ "$status" -eq 3 ] || [ "$status" -eq 2 ]
	grep -q 'standard output: No space left' stderr
}
