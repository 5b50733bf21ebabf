# SPDX-License-Identifier: Apache-2.0
"""How long a program stands still for a snapshot: 1 GiB in pages of 4 KiB and 50 other threads, idle or busy (they allocate,
check, free, and send each other signals). Beside it the same with option sample, where nobody looks for pointers: the
copy is made while the others run on.

    python3 tests/bench/pause.py BUILD OUTPUT.json [SNAPSHOTS]
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

import paired

THREADS, MIB = 50, 1024


def pauses(build, kind, snapshots, options):
    """In milliseconds, in the order in which they came; and what was said about threads that did not stop."""
    program = os.path.join(build, "tests/fixtures/native/stopping")
    library = os.path.join(build, "src/libforkheld.so")
    with tempfile.TemporaryDirectory() as directory:
        environment = paired.environment(library, directory, FORKHELD_OPTIONS=options)
        environment["FORKHELD_OUTPUT"] = os.path.join(directory, "%n.json")
        command = [program, "pause", kind, str(THREADS), str(MIB), str(snapshots)]
        subprocess.run(command, env=environment, cwd=directory, check=True)
        found, lacking = [], []
        for number in range(1, snapshots + 1):
            with open(os.path.join(directory, f"{number}.json"), encoding="utf-8") as file:
                report = json.load(file)
            found.append(report["snapshot"]["pause_ns"] / 1e6)
            lacking += [each["reason"] for each in report["capabilities"]
                        if each["name"] == "native.retention" and each["reason"] and not options]
    return found, lacking


def main():
    build, output = os.path.abspath(sys.argv[1]), sys.argv[2]
    snapshots = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    results = {}
    for kind in "idle", "busy":
        for name, options in ("stopped", ""), ("running", "sample=1000000"):
            found, lacking = pauses(build, kind, snapshots, options)
            ordered = sorted(found)
            results[f"{kind}, {name}"] = {
                "median_ms": statistics.median(found), "least_ms": ordered[0], "most_ms": ordered[-1],
                "nine_of_ten_below_ms": ordered[len(ordered) * 9 // 10], "lacking": lacking,
                "pause_ms": [round(each, 3) for each in found]}
            print(f"{kind}, {name}: median {statistics.median(found):.1f} ms, {ordered[0]:.1f} to {ordered[-1]:.1f}; "
                  f"lacking: {len(lacking)} of {snapshots}")
    paired.save(output, sys.executable, {"setting": {"threads": THREADS, "mib": MIB, "snapshots": snapshots}, **results})


main()
