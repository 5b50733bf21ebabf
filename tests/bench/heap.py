# SPDX-License-Identifier: Apache-2.0
"""A heap of a million tracked objects (2.5 million with their leaves), and one ten times as large: the whole analysis of a
snapshot against one gc.collect() of the same heap, and the memory that the copy maps beyond what it was copied from.
"""
import json
import os
import statistics
import subprocess
import tempfile
import time

import paired

PROGRAM = '''
import ctypes, gc, os, random, sys, time

class Node:
    def __init__(self, n):
        self.value, self.name, self.other = n * 1.5, "node %d" % n, None

    def reinit(self):
        pass

def build(tracked):
    """Half instances with two leaves and a neighbour, half lists with one leaf and a neighbour."""
    chance = random.Random(1)
    half = tracked // 2
    nodes = [Node(n) for n in range(half)]
    lists = [[n * 2.5, nodes[chance.randrange(half)]] for n in range(half)]
    for node in nodes[: half - half // 10]:
        node.other = lists[chance.randrange(half - half // 10)]
    # A tenth hangs off registrations alone.
    owners = []
    for n in range(100):
        owner = Node(n)
        owner.other = nodes[half - half // 10 + n :: 100], lists[half - half // 10 + n :: 100]
        owners.append(owner)
    del nodes[half - half // 10 :], lists[half - half // 10 :]
    return nodes, lists, owners

gc.disable()
kept = build(int(sys.argv[1]))
for owner in kept[2]:
    os.register_at_fork(after_in_child=owner.reinit)
kept = kept[:2]
owner = None
gc.collect()
times = []
for _ in range(5):
    start = time.perf_counter()
    gc.collect()
    times.append(time.perf_counter() - start)
library = ctypes.CDLL(None)
start = time.perf_counter()
status = library.forkheld_snapshot(b"bench")
print(__import__("json").dumps({"collect_s": times, "snapshot_s": time.perf_counter() - start, "status": status,
                                "tracked": len(gc.get_objects())}), flush=True)
os.kill(os.getpid(), 9)
'''


def status_of(pid, key):
    """A size in bytes out of /proc/PID/status, 0 if it is gone."""
    try:
        with open("/proc/%d/status" % pid, encoding="ascii") as file:
            for line in file:
                if line.startswith(key + ":"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return 0


def copies_of(pid):
    """The children of all threads of a process."""
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task), encoding="ascii") as file:
                yield from map(int, file.read().split())
    except OSError:
        pass


def run(python, library, tracked):
    """One program: its own times, the report's, and the peak of the copy's address space over its parent's."""
    with tempfile.TemporaryDirectory() as directory:
        child = subprocess.Popen([python, "-c", PROGRAM, str(tracked)], cwd=directory, stdout=subprocess.PIPE, text=True,
                                 env=paired.environment(library, directory, FORKHELD_OPTIONS="timeout=600"))
        peak = 0
        while child.poll() is None:
            for copy in copies_of(child.pid):
                peak = max(peak, status_of(copy, "VmPeak") - status_of(child.pid, "VmSize"))
            time.sleep(0.002)
        said = json.loads(child.stdout.read())
        name, = [each for each in os.listdir(directory) if each.startswith("report.")]
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            report = json.load(file)
    assert said["status"] == 0 and report["snapshot"]["complete"], report["snapshot"]
    fork_only = report["summary"]["fork_only"]["objects"]
    # Of each instance: its class, two leaves and the neighbour; of each list: two; one that leads to each of them.
    return dict(said, analysis_s=report["snapshot"]["analysis_ns"] / 1e9, pause_s=report["snapshot"]["pause_ns"] / 1e9,
                nodes=int(tracked * 2.5), edges=tracked * 4, mapped_bytes=peak,
                fork_only_objects=fork_only, findings=[[each["rule"], each["count"]] for each in report["findings"]])


def main():
    python, library, output, runs = paired.arguments()
    results = {}
    for name, tracked, times in ("one million", 1_000_000, runs or 5), ("ten million", 10_000_000, max(1, (runs or 5) // 2)):
        each = [run(python, library, tracked) for _ in range(times)]
        collect = statistics.median(statistics.median(one["collect_s"]) for one in each)
        results[name] = {
            "runs": each,
            "median_collect_s": collect,
            "median_analysis_s": statistics.median(one["analysis_s"] for one in each),
            "analysis_per_collect": statistics.median(
                one["analysis_s"] / statistics.median(one["collect_s"]) for one in each),
            "pause_ms": 1000 * statistics.median(one["pause_s"] for one in each),
            "mapped_bytes_a_node_less_8_an_edge": statistics.median(
                (one["mapped_bytes"] - 8 * one["edges"]) / one["nodes"] for one in each),
        }
    results["ten to one"] = {
        "time": results["ten million"]["median_analysis_s"] / results["one million"]["median_analysis_s"],
        "collect": results["ten million"]["median_collect_s"] / results["one million"]["median_collect_s"],
    }
    paired.save(output, python, results)


main()
