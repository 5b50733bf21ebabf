# SPDX-License-Identifier: Apache-2.0
"""buffers_check.py MODULE - which bytes of a block may hold pointers: of ints and ASCII text those of the head, of bytes,
code and tuples no more than are theirs, of what is on a free list none; of others, of subclasses, and where the length
does not fit, all.
"""
import ctypes
import gc
import sys

LONG_HEAD, HEAD, GC_HEAD = 24, 32, 16
TUPLE_HEAD = GC_HEAD + tuple.__basicsize__
module = ctypes.PyDLL(sys.argv[1])
module.test_pointers.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
module.test_pointers.restype = ctypes.c_size_t
if not module.test_attach():
    print("not understood: nothing to compare")
    sys.exit(0)


class Bytes(bytes):
    pass


class Int(int):
    pass


class Str(str):
    pass


def block_of(value):
    return id(value) - (GC_HEAD if isinstance(value, (tuple, list)) else 0)


def pointers(value, more=0):
    """Of a block as the allocators give it: of a multiple of 16 bytes."""
    size = (sys.getsizeof(value) + 15) // 16 * 16 + more
    return module.test_pointers(block_of(value), size), size


def check(value, expected):
    found, size = pointers(value)
    assert found == expected, (value, found, expected)
    for more in 48, 160:
        found, size = pointers(value, more)
        assert found == size, (value, found, size)
    if size > 64:
        assert module.test_pointers(block_of(value), size - 16) == size - 16, value


for length in range(1, 100):
    check(b"x" * length, HEAD + length)
    check("x" * length, HEAD)
    for wide in "\xe9", "\u20ac", "\U0001f600":
        text = wide * length
        found, size = pointers(text)
        assert found == size, (text, found, size)
check("x" * 5000, HEAD)
for exponent in range(1, 400, 7):
    check(3 ** exponent, LONG_HEAD)
    check(-3 ** exponent, LONG_HEAD)
for size in range(1, 100):
    code = compile("+".join(["a"] * size), "", "eval")
    length = sys.getsizeof(code)
    found, size = pointers(code)
    if sys.version_info >= (3, 11):
        assert length - 8 <= found <= length and found % 2 == 0, (found, length)
    else:
        assert found == size, (found, size)
for value in Bytes(b"x" * 20), Int(1 << 70), Str("x" * 20), 1.5, [1, 2], bytearray(20), True, None, object():
    found, size = pointers(value)
    assert found == size, (value, found)

# A tuple of what no cycle can go through leaves the collector's lists; one of those lists' is the graph's.
tuples = [tuple(range(length)) for length in range(1, 50)]
inside = tuple([[]] for _ in range(3))
gc.collect()
for value in tuples:
    if not gc.is_tracked(value):
        check(value, TUPLE_HEAD + 8 * len(value))
found, size = pointers(inside)
assert gc.is_tracked(inside) and found == size, (found, size)

# What has died, and is kept for the next one.
if sys.version_info < (3, 14):
    for make in dict, list, lambda: tuple(tuples[:4]):
        value = make()
        block, size = id(value) - GC_HEAD, (sys.getsizeof(value) + 15) // 16 * 16
        assert module.test_pointers(block, size) in (size, TUPLE_HEAD + 32), value
        del value
        assert module.test_pointers(block, size) == GC_HEAD, make
