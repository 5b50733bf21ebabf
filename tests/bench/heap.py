# SPDX-License-Identifier: Apache-2.0
"""A heap of a million tracked objects (2.5 million with their leaves), and one ten times as large: the whole analysis of a
snapshot against one gc.collect() of the same heap, and the memory that the copy takes beyond what it was copied from.
Times are processor time, which a busy machine changes less, and wall time. Memory is watched in a run of its own, because
reading a process's smaps holds it up.
"""
import json
import os
import statistics
import subprocess
import tempfile

import copies
import paired

PROGRAM = '''
import ctypes, gc, os, random, sys, time

class Node:
    def __init__(self, n):
        self.value, self.name, self.other = n * 1.5, "node %d" % n, None

    def reinit(self):
        pass

def build(tracked, far):
    """Half instances with two leaves and a neighbour, half lists with one leaf and a neighbour: one of some hundred
    made at the same time, or any at all, which is as bad for a processor's caches as can be.
    """
    chance = random.Random(1)
    half = tracked // 2

    def neighbour(n, most):
        return chance.randrange(most) if far else min(most - 1, max(0, n + chance.randrange(-200, 200)))

    nodes = [Node(n) for n in range(half)]
    lists = [[n * 2.5, nodes[neighbour(n, half)]] for n in range(half)]
    for n in range(half - half // 10):
        nodes[n].other = lists[neighbour(n, half - half // 10)]
    # A tenth hangs off registrations alone.
    owners = []
    for n in range(100):
        owner = Node(n)
        owner.other = nodes[half - half // 10 + n :: 100], lists[half - half // 10 + n :: 100]
        owners.append(owner)
    del nodes[half - half // 10 :], lists[half - half // 10 :]
    return nodes, lists, owners

gc.disable()
kept = build(int(sys.argv[1]), sys.argv[2] == "far")
for owner in kept[2]:
    os.register_at_fork(after_in_child=owner.reinit)
kept = kept[:2]
owner = None
gc.collect()
times = []
for _ in range(5):
    start = time.process_time()
    gc.collect()
    times.append(time.process_time() - start)
library = ctypes.CDLL(None)
# A virtual machine's own host takes away what was free for a while, and to get it back takes six times as long as to
# clear it. So what the copy is about to need was used a moment ago.
touch = """
import ctypes, mmap
memory = mmap.mmap(-1, %d)
memory.madvise(mmap.MADV_HUGEPAGE)
for _ in range(2):
    ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(memory)), 1, len(memory))
""" % max(4 << 30, 600 * int(sys.argv[1]))
os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", touch], {}), 0)
start = time.perf_counter()
status = library.forkheld_snapshot(b"bench")
print(__import__("json").dumps({"collect_s": times, "snapshot_s": time.perf_counter() - start, "status": status,
                                "tracked": len(gc.get_objects())}), flush=True)
os.kill(os.getpid(), 9)
'''


def run(python, library, tracked, where, memory=False):
    """One program: its own times, the report's, and the copy's processor time, or its memory."""
    with tempfile.TemporaryDirectory() as directory:
        child = subprocess.Popen([python, "-c", PROGRAM, str(tracked), where], cwd=directory, text=True,
                                 stdout=subprocess.PIPE, env=paired.environment(library, directory, FORKHELD_OPTIONS="timeout=600"))
        most = copies.watch(child, memory)
        said = json.loads(child.stdout.read())
        name, = [each for each in os.listdir(directory) if each.startswith("report.")]
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            report = json.load(file)
    assert said["status"] == 0 and report["snapshot"]["complete"], report["snapshot"]
    result = {"tracked": said["tracked"], "fork_only_objects": report["summary"]["fork_only"]["objects"],
              "findings": [[each["rule"], each["count"]] for each in report["findings"]]}
    # Leaves: two of each instance, one of each list. Edges: of each instance its class, two leaves and the neighbour; of
    # each list two; one that leads to each of them.
    nodes, edges = tracked * 5 // 2, tracked * 4
    if memory:
        return dict(result, nodes=nodes, edges=edges, own_bytes=most, bytes_a_node_less_8_an_edge=(most - 8 * edges) / nodes)
    return dict(result, collect_s=said["collect_s"], copy_s=sum(most), copy_user_s=most[0],
                analysis_wall_s=report["snapshot"]["analysis_ns"] / 1e9, pause_s=report["snapshot"]["pause_ns"] / 1e9,
                per_collect=sum(most) / statistics.median(said["collect_s"]))


def main():
    python, library, output, runs = paired.arguments()
    results = {}
    for where in "near", "far":
        for tracked, times in (1_000_000, runs or 5), (10_000_000, max(1, (runs or 5) // 3)):
            each = [run(python, library, tracked, where) for _ in range(times)]
            memory = run(python, library, tracked, where, memory=True)
            results["%s %d" % (where, tracked)] = {
                "runs": each,
                "memory": memory,
                "collect_s": statistics.median(statistics.median(one["collect_s"]) for one in each),
                "copy_s": statistics.median(one["copy_s"] for one in each),
                "copy_user_s": statistics.median(one["copy_user_s"] for one in each),
                "analysis_wall_s": statistics.median(one["analysis_wall_s"] for one in each),
                "per_collect": statistics.median(one["per_collect"] for one in each),
                "pause_ms": 1000 * statistics.median(one["pause_s"] for one in each),
                "bytes_a_node_less_8_an_edge": memory["bytes_a_node_less_8_an_edge"],
            }
        results[where + " ten to one"] = {
            key: results[where + " 10000000"][key] / results[where + " 1000000"][key]
            for key in ("copy_s", "copy_user_s", "collect_s", "analysis_wall_s")
        }
    paired.save(output, python, results)


main()
