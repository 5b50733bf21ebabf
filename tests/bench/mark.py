# SPDX-License-Identifier: Apache-2.0
"""The conservative mark over a heap of C blocks (mark.c): how long for a gibibyte of blocks of a kibibyte and of 128 bytes,
and whether time is linear in the number of blocks.

    python3 tests/bench/mark.py LIBRARY OUTPUT.json [RUNS]

Three runs of each heap in turn: a report that only adds up the live blocks, one that looks for blocks which nothing leads
to (leaks=1), and one of a heap of which a fork handler's slot holds a tenth. The mark's time, gathering the blocks
included, is what the second and the third take longer than the first: by the report's own clock (analysis_ns), and in
processor time of the copy. Every single time is kept.
"""
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile

import copies
import paired

HERE = os.path.dirname(os.path.abspath(__file__))
GIB = 1 << 30
# Blocks, their size, shape, whether a slot is tried.
HEAPS = {
    "1 GiB of 1024": (GIB // 1024, 1024, "mixed", True),
    "1 GiB of 128": (GIB // 128, 128, "mixed", True),
    "1 GiB of 128, one list": (GIB // 128, 128, "chain", False),
    "10000 of 128": (10_000, 128, "mixed", True),
    "100000 of 128": (100_000, 128, "mixed", True),
    "1000000 of 128": (1_000_000, 128, "mixed", True),
    "10000000 of 128": (10_000_000, 128, "mixed", True),
}
MODES = {"sums": "report=always", "leaks": "report=always:leaks=1", "slot": "report=always"}


def run(program, library, heap, mode, memory=False):
    """One program: seconds by the report's clock and of the copy's processor time; or bytes that the copy took."""
    count, size, shape, _ = heap
    with tempfile.TemporaryDirectory() as directory:
        environment = paired.environment(library, directory, FORKHELD_OPTIONS=MODES[mode] + ":timeout=600")
        child = subprocess.Popen([program, str(count), str(size), "slot" if mode == "slot" else shape], cwd=directory,
                                 env=environment)
        most = copies.watch(child, memory)
        assert child.returncode == 0, child.returncode
        name, = glob.glob(os.path.join(directory, "report.*"))
        with open(name, encoding="utf-8") as file:
            report = json.load(file)
    assert report["snapshot"]["complete"], report["snapshot"]
    if mode == "leaks":
        assert report["unreachable"]["count"] == 0, report["unreachable"]
    if mode == "slot":  # and the list of its lists
        assert report["summary"]["blocks"]["fork_only"] == count // 10 + 1, report["summary"]
    return most if memory else (report["snapshot"]["analysis_ns"] / 1e9, sum(most))


def measure(program, library, heap, runs):
    """All runs of one heap; medians of what a mark takes longer than the sums."""
    modes = [mode for mode in MODES if mode != "slot" or heap[3]]
    times = {mode: [] for mode in modes}
    for _ in range(runs):
        for mode in modes:
            times[mode].append(run(program, library, heap, mode))
    without = run(program, library, heap, "sums", memory=True)
    result = {"blocks": heap[0], "size": heap[1], "shape": heap[2]}
    for mode in modes:
        result[mode] = {"analysis_s": [round(wall, 6) for wall, _ in times[mode]], "cpu_s": [cpu for _, cpu in times[mode]]}
        if mode == "sums":
            continue
        for key, which in ("analysis", 0), ("cpu", 1):
            longer = [marked[which] - summed[which] for marked, summed in zip(times[mode], times["sums"])]
            result["%s_%s_s" % (mode, key)] = statistics.median(longer)
            result["%s_%s_ns_a_block" % (mode, key)] = 1e9 * statistics.median(longer) / heap[0]
        result[mode + "_bytes_a_block"] = (run(program, library, heap, mode, memory=True) - without) / heap[0]
    return result


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: mark.py LIBRARY OUTPUT.json [RUNS]")
    library, output, runs = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) == 4 else 5
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "mark")
        subprocess.run(["cc", "-O2", "-pthread", os.path.join(HERE, "mark.c"), "-o", program], check=True)
        results = {name: measure(program, library, heap, runs) for name, heap in HEAPS.items()}
    paired.save(output, sys.executable, results)


main()
