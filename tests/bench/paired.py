# SPDX-License-Identifier: Apache-2.0
"""Paired runs: the same command with and without the library in turn, the order changing from pair to pair, so that what
else the machine does falls on both alike. Medians of the pairs' ratios and differences; every single time is kept.
"""
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time


def environment(library, directory, **more):
    """The environment of a run; without library if that is None."""
    clean = {key: value for key, value in os.environ.items()
             if not key.startswith(("FORKHELD_", "PYTHON", "LD_PRELOAD"))}
    clean.update(PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0", **more)
    if library:
        clean.update(LD_PRELOAD=library, FORKHELD_OUTPUT=os.path.join(directory, "report.%n.%p.json"))
    return clean


def seconds(command, library, directory, options):
    """Of one run, its output thrown away: from start to end, and processor time with all it waited for (the copy too)."""
    start = time.perf_counter()
    child = subprocess.Popen(command, env=environment(library, directory, FORKHELD_OPTIONS=options), cwd=directory,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = status
    assert status == 0, status
    return wall, usage.ru_utime + usage.ru_stime


def measure(command, library, pairs, options=""):
    """The times of so many pairs, and what they come to. @options: the library's, as in FORKHELD_OPTIONS."""
    plain, preloaded = [], []
    for number in range(-1, pairs):
        with tempfile.TemporaryDirectory() as directory:
            order = [(None, plain), (library, preloaded)]
            for which, times in order if number % 2 else reversed(order):
                taken = seconds(command, which, directory, options)
                if number >= 0:  # the first pair warms the caches
                    times.append(taken)
            assert any(name.startswith("report.") for name in os.listdir(directory)), "no report"
    result = {"command": command, "options": options, "pairs": pairs}
    for name, which in ("wall", 0), ("cpu", 1):
        pairs_of = [(a[which], b[which]) for a, b in zip(plain, preloaded)]
        result[name] = {
            "median_ratio": statistics.median(b / a for a, b in pairs_of),
            "median_difference_ms": 1000 * statistics.median(b - a for a, b in pairs_of),
            "median_plain_ms": 1000 * statistics.median(a for a, _ in pairs_of),
            "plain_s": [round(a, 6) for a, _ in pairs_of],
            "preloaded_s": [round(b, 6) for _, b in pairs_of],
        }
    return result


def measure_each(python, codes, library, pairs):
    """Each of @codes, by name: with everything recorded, and without a record of allocations."""
    return {name + more: measure([python, "-c", code], library, pairs, options)
            for more, options in (("", ""), (", alloc=off", "alloc=off")) for name, code in codes.items()}


def machine(python):
    """What the numbers depend on."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "unknown")
    version = subprocess.check_output([python, "-I", "-c", "import sys; print(sys.version.split()[0])"], text=True)
    return {"python": version.strip(), "cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "load": os.getloadavg()[0]}


def arguments():
    """PYTHON LIBRARY OUTPUT [NUMBER] of every bench here."""
    if len(sys.argv) not in (4, 5):
        sys.exit("usage: %s PYTHON LIBRARY OUTPUT.json [PAIRS]" % os.path.basename(sys.argv[0]))
    python, library, output = sys.argv[1:4]
    return python, os.path.abspath(library), output, int(sys.argv[4]) if len(sys.argv) == 5 else None


def save(output, python, results):
    """Write them with what they depend on; print the medians. Interpreter and scripts by their last names."""
    for each in results.values():
        if "command" in each:
            each["command"] = [os.path.basename(word) if "/" in word else word for word in each["command"]]
    with open(output, "w", encoding="utf-8") as file:
        json.dump({"machine": machine(python), "results": results}, file, indent=1)
        file.write("\n")
    for name, each in results.items():
        for part in ("wall", "cpu") if "wall" in each else ("",):
            numbers = each[part] if part else each
            print(name, part, {key: round(value, 4) for key, value in numbers.items() if isinstance(value, (int, float))})
