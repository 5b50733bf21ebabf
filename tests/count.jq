# SPDX-License-Identifier: Apache-2.0
# count.jq - count single tests in meson's testlog.json (jq -s -r -f): first "passed failed skipped", then one line for
# each failed and each skipped test. A test that speaks TAP counts each of its points, and one failure more if it broke
# off (crash, time-out, fewer points than planned); any other test is one.
def points: (.stdout // "") | split("\n") | map(select(test("^(not )?ok\\b")));
def is_skip: test("# *skip"; "i");
def is_todo: test("# *todo"; "i");
# What a failed point says of itself, each line a text of its own.
def reasons($name; $line): (.stdout // "") | split("\n") | .[(index($line) // length) + 1:] |
	.[:([ .[] | startswith("#") ] | index(false) // length)] | .[:15][] |
	{kind: "reason", text: "failed: \($name): \(.[:300])"};
def told($kind; $name; $line): {kind: $kind, text: "\($kind): \($name): \($line)"};
[ .[] as $test | ($test.name | sub("^.*( / |:)"; "")) as $name | ($test | points) as $points |
	if ($points | length) > 0 then
		( $points[] |
			if is_skip then told("skipped"; $name; sub("^(not )?ok +[0-9]+ *"; ""))
			elif startswith("ok") or is_todo then told("passed"; $name; .)
			else . as $line | told("failed"; $name; sub("^not ok +[0-9]+ *"; "")), ($test | reasons($name; $line)) end ),
		( [ $test.stdout | scan("(?m)^1\\.\\.[0-9]+") | ltrimstr("1..") | tonumber ] | first // 0 | . - ($points | length) |
			if . > 0 then told("failed"; $name; "broke off, \(.) tests did not run (\($test.result))") else empty end ),
		( if ($points | all(startswith("ok") or is_skip or is_todo)) and
			([ $test.result ] | inside(["OK", "EXPECTEDFAIL", "SKIP"]) | not)
		  then told("failed"; $name; $test.result) else empty end )
	elif $test.result == "SKIP" then told("skipped"; $name; ($test.stdout // "" | gsub("\n"; " ")))
	elif $test.result == "OK" or $test.result == "EXPECTEDFAIL" then told("passed"; $name; "")
	else told("failed"; $name; $test.result) end ] |
"\(map(select(.kind == "passed")) | length) \(map(select(.kind == "failed")) | length) \(map(select(.kind == "skipped")) | length)",
( .[] | select(.kind != "passed") | .text )
