# SPDX-License-Identifier: Apache-2.0
"""calls_check.py MODULE - frames that could not be noted, because another thread's fork takes long, are looked for again
by the next allocation there, and so is what lies below them; and each allocation gets the leaf of its own native calls.
"""
import ctypes
import random
import sys

module = ctypes.PyDLL(sys.argv[1])
module.test_attach.restype = ctypes.c_char_p
module.test_leaf_depth.argtypes = [ctypes.c_size_t, ctypes.c_uint]
module.test_way.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_uint]
module.test_way.restype = ctypes.c_bool


def depth_here():
    """Without this frame."""
    frame, depth = sys._getframe(1), 0
    while frame:
        frame, depth = frame.f_back, depth + 1
    return depth


def frames():
    return module.test_depth(), depth_here()


def leaf(place, kinds):
    return module.test_leaf_depth(place, next(kinds)), depth_here()


def in_turn(ways, look, *arguments):
    """Each time in the same place. "L": while nothing can be noted."""
    found = []
    for way in ways:
        if way == "L":
            assert module.test_fork(1) == 0
        found.append(look(*arguments))
        if way == "L":
            assert module.test_fork(0) == 0
    return found


problem = module.test_attach()
assert problem is None, problem
assert module.test_depth() == depth_here() == 1

(then, deep), (now, same) = in_turn("L.", frames)
assert then < deep == same == now, (then, deep, now)

# At first an allocation is only seen; the fourth time it is learnt what it leads to. Each kind has its own leaf.
for number, (ways, kinds) in enumerate((("L.....", (0,) * 6), ("...L..", (0,) * 6), ("....L.", (0,) * 6), ("...LL..", (0,) * 7),
                                        ("....L.", (0, 0, 0, 0, 1, 1)), ("....LL.", (0, 0, 0, 0, 1, 0, 1)))):
    for way, (depth, deep) in zip(ways, in_turn(ways, leaf, 0x1000 * (1 + number), iter(kinds))):
        assert depth == deep + 2 if way == "." else depth <= deep + 2, (ways, kinds, depth, deep)

# One call of one function, in other native calls each time: in turn, often the one and then the other, more than a
# memo keeps, by chance; and from many places, which share its sets.
chance = random.Random(1)
for number, ways in enumerate(((1, 2) * 20, (1,) * 9 + (2,) * 9 + (1,) * 9, (1, 2, 3, 4) * 20,
                               [chance.randrange(3) for _ in range(400)])):
    for way in ways:
        assert module.test_way(0x100000 + number, way, way & 1), (number, ways, way)
# A leaf is of its own time, and holds as long as its proof.
for way in (1, 2) * 10:
    for _ in range(6):
        assert module.test_way(0x180000, way, 0), way
    module.test_epoch(way - 1)
for _ in range(12):
    for place in range(6000):
        assert module.test_way(0x200000 + 16 * place, place % 3, place & 1), place
