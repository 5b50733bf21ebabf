# SPDX-License-Identifier: Apache-2.0
"""What recording every allocation costs, beside the peers in one run. For each program the plain run, the library's and each
peer's come in turn, round by round; a ratio is one recorder's time by the plain time of the same round, and the median of
the rounds counts. Every single time is kept.

usage: allocation.py PYTHON LIBRARY OUTPUT.json [-r ROUNDS] [-p PEER_ROUNDS] [-w WORKLOAD]...

PYTHON needs memray and pyperformance (from PyPI) for their rows; heaptrack, valgrind and redis are Debian's packages.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "allocation"))
import paired
import recorders
import workloads

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "allocation", "programs.py")
NATIVE_PEERS = ["heaptrack", "lsan_preloaded", "valgrind"]
PYTHON_PEERS = ["tracemalloc_25", "tracemalloc_1", "memray"]
PYPERFORMANCE = ["chaos", "deltablue", "float", "json_dumps", "logging", "nbody", "pickle", "raytrace", "regex_compile", "richards"]


class Bench:
    def __init__(self, python, library, directory):
        self.python, self.directory = python, directory
        self.recorders = recorders.Recorders(library, python)
        self.inputs = {}

    def made(self, name, make):
        """An input file, made once."""
        if name not in self.inputs:
            self.inputs[name] = os.path.join(self.directory, name)
            make(self.inputs[name])
        return self.inputs[name]

    def micro(self):
        def build(path):
            subprocess.run(["cc", "-O2", "-pthread", os.path.join(HERE, "allocation", "micro.c"), "-o", path], check=True)
        return self.made("micro", build)

    def once(self, recorder, command, more=None, stdin=None, own_clock=False):
        """One run: seconds from start to end and of processor time, its own count where it prints one, and the most that
        was resident in KiB."""
        with tempfile.TemporaryDirectory(dir=self.directory) as scratch:
            prepared = self.recorders.run(recorder, command, scratch, more)
            if prepared is None:
                return None
            words, environment = prepared
            output = os.path.join(scratch, "output")
            with open(stdin or os.devnull, "rb") as source, open(output, "wb") as sink:
                start = time.perf_counter()
                child = subprocess.Popen(words, env=environment, cwd=scratch, stdin=source, stdout=sink, stderr=subprocess.DEVNULL)
                watched = Resident(child.pid, os.path.basename(command[0]))
                _, status, usage = os.wait4(child.pid, 0)
                wall = time.perf_counter() - start
            child.returncode = status
            peak = watched.stop()
            if status and recorder not in ("plain", "forkheld"):
                print("%s under %s: ended with status %d" % (os.path.basename(command[0]), recorder, status), flush=True)
                return None
            assert status == 0, (recorder, words, status)
            result = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "resident_kib": peak}
            with open(output, encoding="utf-8", errors="replace") as file:
                said = file.read().split()
            if own_clock:
                result["own"] = float(said[said.index("ns") + 1])  # heaptrack prints words of its own, too
            if "resident" in said:
                result["resident_kib"] = int(said[said.index("resident") + 1])
            return result

    def compare(self, peers, rounds, peer_rounds, run):
        """@run(recorder) under each of plain, the library and the peers, in turn."""
        times = {}
        most = {"valgrind": min(1, peer_rounds), "forkheld_25": rounds}
        for number in range(-1, max(rounds, peer_rounds)):
            names = ["plain", "forkheld"] if number % 2 else ["forkheld", "plain"]
            if number >= 0:
                names = [name for name in names if number < rounds or name == "plain"]
                names += [peer for peer in peers if number < most.get(peer, peer_rounds)]
            taken = {name: run(name) for name in names}
            if number >= 0:  # the first round warms the caches
                for name, one in taken.items():
                    times.setdefault(name, []).append((one, taken["plain"]))
        return {name: summary(pairs) for name, pairs in times.items() if pairs[0][0]}


class Resident(threading.Thread):
    """The most that a program had resident, watched from outside: a copy or a tracer of it counts apart."""

    def __init__(self, pid, name):
        super().__init__(daemon=True)
        self.pid, self.name, self.peak, self.done = pid, name[:15], 0, threading.Event()
        self.start()

    def tree(self, pid):
        yield pid
        for path in glob.glob("/proc/%d/task/*/children" % pid):
            try:
                with open(path, encoding="ascii") as file:
                    for child in file.read().split():
                        yield from self.tree(int(child))
            except OSError:
                pass

    def run(self):
        while not self.done.wait(0.02):
            for pid in self.tree(self.pid):
                try:
                    with open("/proc/%d/status" % pid, encoding="ascii", errors="replace") as file:
                        fields = dict(line.split(":", 1) for line in file)
                except OSError:
                    continue
                if "VmHWM" in fields:
                    self.peak = max(self.peak, int(fields["VmHWM"].split()[0]))
                    if fields["Name"].strip() == self.name:
                        break

    def stop(self):
        self.done.set()
        self.join()
        return self.peak


def summary(pairs):
    kept = [one for one, _ in pairs]
    result = {"runs": [{key: round(value, 5) for key, value in one.items()} for one in kept]}
    for key in kept[0]:
        ratios = [one[key] / plain[key] for one, plain in pairs if plain.get(key)]
        if ratios:
            result["median_" + key] = statistics.median(one[key] for one in kept)
            result["ratio_" + key] = statistics.median(ratios)
    return result


def sqlite(bench, rounds, peer_rounds):
    script = bench.made("script.sql", workloads.sqlite_script)
    return bench.compare(NATIVE_PEERS, rounds, peer_rounds, lambda name: bench.once(name, ["sqlite3", ":memory:"], stdin=script))


def cc1(bench, rounds, peer_rounds):
    source = bench.made("large.c", workloads.c_source)
    command = [workloads.compiler_proper(), "-quiet", "-O1", source, "-o", "/dev/null"]
    return bench.compare(NATIVE_PEERS, rounds, peer_rounds, lambda name: bench.once(name, command))


MALLOC = {"PYTHONMALLOC": "malloc"}


def python_malloc(bench, rounds, peer_rounds):
    """A program that does little but make objects."""
    return bench.compare(["heaptrack", "lsan_preloaded"], rounds, peer_rounds, lambda name: bench.once(
        name, [bench.python, PROGRAMS, "mixed", "12"], MALLOC))


def pyperformance_malloc(bench, rounds, peer_rounds):
    return pyperformance(bench, rounds, peer_rounds, ("heaptrack", "lsan_preloaded"), MALLOC)


def redis(bench, rounds, peer_rounds):
    def run(name):
        with tempfile.TemporaryDirectory(dir=bench.directory) as scratch:
            prepared = bench.recorders.run(name, ["redis-server"], scratch)
            if prepared is None:
                return None
            wall, cpu = workloads.redis_set(*prepared, scratch)
            return {"wall": wall} if name == "heaptrack" else {"wall": wall, "cpu": cpu}
    return bench.compare(["heaptrack"], rounds, peer_rounds, run)


def micro_with(bench, rounds, peer_rounds, threads, live, operations, depth=1, peers=("heaptrack", "lsan_preloaded", "valgrind")):
    command = [bench.micro(), str(threads), str(live), str(operations), str(depth)]
    return bench.compare(list(peers), rounds, peer_rounds, lambda name: bench.once(name, command, own_clock=True))


def micro(bench, rounds, peer_rounds):
    return {"%d threads" % threads: micro_with(bench, rounds, peer_rounds, threads, 100_000, 10_000_000) for threads in (1, 2)}


def growth(bench, rounds, peer_rounds):
    """Nanoseconds a call as the work grows: live blocks, threads, depth of the stack."""
    found = {}
    for live in 10**4, 10**5, 10**6, 10**7:
        found["live %d" % live] = micro_with(bench, rounds, 0, 1, live, 8_000_000, peers=())
    for threads in 1, 2, 4, 16, 64:
        found["threads %d" % threads] = micro_with(bench, rounds, 0, threads, 10_000, 16_000_000 // threads, peers=())
    for depth in 5, 20, 64, 200:
        found["depth %d" % depth] = micro_with(bench, rounds, 0, 1, 10_000, 8_000_000, depth, peers=())
    return found


def python_loops(bench, rounds, peer_rounds):
    return {name: bench.compare(["forkheld_25", *PYTHON_PEERS], rounds, peer_rounds,
                                lambda who, name=name, times=times: bench.once(who, [bench.python, PROGRAMS, name, times]))
            for name, times in (("objects", "25"), ("strings", "25"), ("churn", "15"), ("text", "40"))}


def pyperformance(bench, rounds, peer_rounds, peers=PYTHON_PEERS, more=None):
    """A subset's own values (seconds of one loop), one worker process a run, and their geometric mean."""
    folder = subprocess.run([bench.python, "-c", "import pyperformance; print(pyperformance.__path__[0])"],
                            stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    found = {}
    for name in PYPERFORMANCE:
        script = os.path.join(folder, "data-files", "benchmarks", "bm_" + name, "run_benchmark.py")

        def run(recorder, script=script):
            with tempfile.TemporaryDirectory(dir=bench.directory) as scratch:
                result = os.path.join(scratch, "result.json")
                extra = ["logging_format"] if name == "logging" else []
                command = [bench.python, script, "--worker", "--warmups", "1", "--values", "3", "--loops", str(LOOPS.get(name, 1)),
                           "-o", result, *({"pickle": ["pickle"]}.get(name, []))]
                prepared = bench.recorders.run(recorder, command, scratch, more)
                subprocess.run(prepared[0], env=prepared[1], cwd=scratch, check=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                with open(result, encoding="utf-8") as file:
                    runs = json.load(file)["benchmarks"]
                return {"wall": sum(statistics.median(one["runs"][0]["values"]) for one in runs)}
        found[name] = bench.compare(list(peers), rounds, peer_rounds, run)
    for who in {who for each in found.values() for who in each}:
        found.setdefault("geometric mean", {})[who] = {"ratio_wall": statistics.geometric_mean(
            each[who]["ratio_wall"] for name, each in found.items() if who in each and name != "geometric mean")}
    return found


LOOPS = {"chaos": 8, "deltablue": 80, "float": 6, "json_dumps": 40, "logging": 2000, "nbody": 5, "pickle": 2000, "raytrace": 2,
         "regex_compile": 4, "richards": 10}


def resident(bench, rounds, peer_rounds):
    """Memory: the shell's most, and a heap of a million tracked objects."""
    script = bench.made("script.sql", workloads.sqlite_script)
    return {
        "sqlite": bench.compare(["heaptrack"], rounds, peer_rounds, lambda name: bench.once(name, ["sqlite3", ":memory:"], stdin=script)),
        "python heap": bench.compare(["heaptrack", *PYTHON_PEERS], rounds, peer_rounds,
                                     lambda name: bench.once(name, [bench.python, PROGRAMS, "heap", "1"])),
    }


WORKLOADS = {each.__name__: each for each in (sqlite, cc1, python_malloc, pyperformance_malloc, redis, micro, growth, python_loops, pyperformance, resident)}


def rows(results, prefix=""):
    for name, each in results.items():
        if isinstance(each, dict) and any(key.startswith("ratio_") for key in each):
            yield prefix + name, {key: round(value, 3) for key, value in each.items() if not isinstance(value, list)}
        elif isinstance(each, dict):
            yield from rows(each, prefix + name + ", ")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python")
    parser.add_argument("library")
    parser.add_argument("output", help="JSON; workloads that are in it and not named now stay")
    parser.add_argument("-r", "--rounds", type=int, default=7)
    parser.add_argument("-p", "--peer-rounds", type=int, default=3)
    parser.add_argument("-w", "--workload", action="append", choices=list(WORKLOADS), help="those alone")
    chosen = parser.parse_args()
    results = {}
    if os.path.exists(chosen.output):
        with open(chosen.output, encoding="utf-8") as file:
            results = json.load(file)["results"]
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(chosen.python, os.path.abspath(chosen.library), directory)
        for name in chosen.workload or WORKLOADS:
            results[name] = WORKLOADS[name](bench, chosen.rounds, chosen.peer_rounds)
            for row, numbers in rows({name: results[name]}):
                print(row, numbers, flush=True)
            with open(chosen.output, "w", encoding="utf-8") as file:
                json.dump({"machine": {**paired.machine(chosen.python), **bench.recorders.versions()}, "results": results}, file, indent=1)
                file.write("\n")


main()
