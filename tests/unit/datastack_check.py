# SPDX-License-Identifier: Apache-2.0
"""datastack_check.py MODULE - each thread has one rest of its chunk, behind its frames: calls make it shorter, returns
longer again. Up to 3.10 there is none.
"""
import ctypes
import sys
import threading

ROOM = 100
module = ctypes.PyDLL(sys.argv[1])
module.test_rests.restype = ctypes.c_long
words = (ctypes.c_size_t * (2 * ROOM))()


def rests():
    count = module.test_rests(words, ROOM)
    return [(words[2 * i], words[2 * i + 1]) for i in range(count)]


def deep(depth):
    return deep(depth - 1) if depth else rests()


found = rests()
if sys.version_info < (3, 11):
    assert not found, found
    sys.exit(0)
assert len(found) == 1, found
starts = []
for depth in 0, 5, 10, 20, 5, 0:
    (start, end), = deep(depth)
    assert start < end and end % 4096 == 0 and end == found[0][1], (depth, start, end, found)
    starts.append(start)
assert starts[0] < starts[1] < starts[2] < starts[3] and starts[4] == starts[1] and starts[5] == starts[0], starts
assert starts[0] >= found[0][0], (starts, found)
(start, end), = deep(400)  # in another chunk
assert start < end

arrived, leave = threading.Semaphore(0), threading.Event()


def wait():
    arrived.release()
    leave.wait()


threads = [threading.Thread(target=wait) for _ in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    arrived.acquire()
found = sorted(rests())
leave.set()
for thread in threads:
    thread.join()
assert len(found) == 6, found
assert all(found[i][1] <= found[i + 1][0] for i in range(5)), found
