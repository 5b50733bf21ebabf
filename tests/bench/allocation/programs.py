# SPDX-License-Identifier: Apache-2.0
"""The Python programs of the allocation bench: programs.py NAME [ROUNDS]."""
import json
import sys


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y


def objects(rounds):
    """An object loop: instances with two attributes, a thousand alive."""
    kept = [None] * 1000
    for n in range(rounds * 100_000):
        kept[n % 1000] = Point(n * 0.5, [n])


def strings(rounds):
    """Strings built, joined and split."""
    for n in range(rounds * 3_000):
        words = ["word %d" % k for k in range(n, n + 30)]
        text = " ".join(words)
        words = text.upper().split(" ")
        "".join(reversed(words)).replace("WORD", "w")


def churn(rounds):
    """Small lists, tuples and instances made and dropped thirty calls deep."""
    def deep(frames, n):
        if frames:
            return deep(frames - 1, n)
        made = []
        for k in range(n, n + 300):
            made.append((k, [k * 2.5], Point(k, str(k))))
        return len(made)

    for n in range(rounds * 300):
        deep(30, n)


def text(rounds):
    """json, both ways."""
    document = {"key %d" % n: {"id": n, "name": "name %d" % n, "values": [n, n * 1.5, None, True, "x" * (n % 20)]}
                for n in range(300)}
    for _ in range(rounds * 20):
        json.loads(json.dumps(document))


def mixed(rounds):
    """What an ordinary program does: a bit of everything."""
    for _ in range(rounds):
        objects(1)
        strings(1)
        churn(1)
        text(1)


def heap(rounds):
    """A heap of a million tracked objects, and how much of it is resident, in KiB."""
    nodes = [Point(n * 1.5, "node %d" % n) for n in range(rounds * 500_000)]
    lists = [[n * 2.5, nodes[n]] for n in range(rounds * 500_000)]
    with open("/proc/self/status", encoding="ascii") as file:
        print("resident", next(line.split()[1] for line in file if line.startswith("VmRSS")), len(lists))


PROGRAMS = {each.__name__: each for each in (objects, strings, churn, text, mixed, heap)}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 10)
