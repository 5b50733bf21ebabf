# SPDX-License-Identifier: Apache-2.0
"""tracked_check.py MODULE - the collector's objects as read off its lists are those of gc.get_objects, in its order, in
each generation, with some frozen, and inside a collection; versions that keep them otherwise are recognised.
"""
import ctypes
import gc
import sys

ROOM = 1 << 20
SINCE_OTHERWISE = 3, 14
read = ctypes.PyDLL(sys.argv[1]).test_tracked
read.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
read.restype = ctypes.c_long
buffer = (ctypes.c_size_t * ROOM)()
address = ctypes.addressof(buffer)


def check(when, least=1000):
    count = read(address, ROOM)
    if sys.version_info >= SINCE_OTHERWISE:
        assert count == -1, (when, count)
        return
    expected = gc.get_objects()
    assert count >= least, (when, count)
    found = set(buffer[:count])
    wanted = set(map(id, expected))
    # What this very function has made since, and what it has dropped again.
    assert len(found ^ wanted) <= 8, (when, len(found - wanted), len(wanted - found))
    common = found & wanted
    assert [each for each in buffer[:count] if each in common] == [id(each) for each in expected if id(each) in common], when


class Ring:
    def __init__(self):
        self.me = self

    def __del__(self):
        check("inside a collection")


gc.disable()
check("all generations mixed")
gc.collect()
check("all in the oldest")
kept = [[n] for n in range(10000)]
check("many in the youngest")
gc.collect(0)
check("in the middle")
Ring()
gc.collect()
gc.freeze()
check("frozen", 0)
kept += [[n] for n in range(3000)]
check("some more")
