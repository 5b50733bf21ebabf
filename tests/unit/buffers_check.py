# SPDX-License-Identifier: Apache-2.0
"""buffers_check.py MODULE - which bytes of a block may hold pointers: of ints, ASCII text and code those of the head,
of bytes and tuples no more than are theirs, of what is on a free list none; of others, of subclasses, and where the
length does not fit, all. Where a container has its items, a class its text and its flags. Which words of static objects are text, digits or code.
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
    found, size = pointers(code)
    if sys.version_info >= (3, 11):
        assert found == type(code).__basicsize__, (found, size)
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

# The items of containers, which have the same words as others have; the text about a class.
module.test_tables.argtypes = [ctypes.py_object, ctypes.c_void_p]


def tables(value):
    found = (ctypes.c_size_t * 4)()
    return list(found[:module.test_tables(value, found)])


class Told(list):
    """So many words about a class."""


items = [object() for _ in range(3)]
for value in items, Told(items):
    assert tables(value)[0] and list((ctypes.c_size_t * 3).from_address(tables(value)[0])) == [id(i) for i in items]
for value in {1: 2}, {1, 2}, frozenset([1, 2]):
    assert tables(value) and tables(value)[0], value
assert ctypes.string_at(*tables(Told)).decode() == Told.__doc__
assert tables(Bytes) == [0] and tables(1) == tables("text") == tables(b"text") == []

# The flags, of static classes and of others.
module.test_flags.argtypes = [ctypes.py_object]
module.test_flags.restype = ctypes.c_size_t


class Meta(type):
    pass


for kind in int, type, Int, Meta, Meta("Made", (), {}):
    at = module.test_flags(kind)
    assert id(kind) < at < id(kind) + type.__basicsize__, (kind, at)
    assert ctypes.c_ulong.from_address(at).value == kind.__flags__, kind
for value in 1, [], Int(), object(), module.test_flags:
    assert module.test_flags(value) == 0, value

# Static data: in 3.11 and 3.12 the code of modules that are part of the interpreter.
ROOM = 100000
words = (ctypes.c_size_t * ROOM)()
module.test_static.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_long]
module.test_static.restype = ctypes.c_long


def left_out(start, end):
    count = module.test_static(start, end, words, ROOM)
    assert count <= ROOM
    return words[:count]


def word(at):
    return ctypes.c_size_t.from_address(at).value


def looks_like_address(value):
    return 4096 <= value < 1 << 47


def codes(code):
    yield code
    for value in code.co_consts:
        if isinstance(value, type(code)):
            yield from codes(value)


with open("/proc/self/maps", encoding="utf-8") as file:
    ranges = [tuple(int(end, 16) for end in line.split()[0].split("-")) for line in file]
start, end = next(r for r in ranges if r[0] <= id(type(code)) < r[1])
found = set(left_out(start, end))
assert all(looks_like_address(word(at)) for at in found)
if sys.version_info < (3, 11):
    assert not found, found
static = 0
for loaded in sys.modules["_frozen_importlib"], sys.modules["_frozen_importlib_external"], sys.modules["codecs"]:
    for function in vars(loaded).values():
        for code in codes(function.__code__) if hasattr(function, "__code__") else ():
            if not start <= id(code) < end:
                continue
            static += 1
            units = id(code) + type(code).__basicsize__
            for at in range(id(code), units, 8):
                assert at not in found, (code, at)
            for at in range(units, units + len(code.co_code), 8):
                assert (at in found) == looks_like_address(word(at)), (code, at, hex(word(at)))
assert bool(static) == (sys.version_info[:2] in ((3, 11), (3, 12))), static
# Nothing is left out that is a reference to an object, but functions and methods in inline caches, borrowed.
objects = {id(value) for value in gc.get_objects() if isinstance(value, (dict, list, tuple, set, type(sys)))}
assert not [at for at in found if word(at) in objects]

# A piece of memory as the compiler lays it out: text, and words beside it that only look like it.
if sys.version_info >= (3, 11):
    count = 999999999 if sys.version_info < (3, 12) else 0xFFFFFFFF if sys.version_info < (3, 14) else 7 << 48 | 3 << 30
    address = 0x7E7E7E
    memory = (ctypes.c_size_t * 64)()
    base = ctypes.addressof(memory)
    text = 6 if sys.version_info < (3, 12) else 5
    head = [0] * (text - 3)

    def lay(*values):
        ctypes.memset(memory, 0, ctypes.sizeof(memory))
        memory[:len(values)] = values
        return [(at - base) // 8 for at in left_out(base, base + ctypes.sizeof(memory))]

    assert lay(count, id(bytes), 19, 0, address, address, address, address) == [4, 5, 6]
    assert lay(0, count, id(bytes), 1, 0, address, address) == [5]
    for other in 5, base, base & 0xFFFFFFFF, 1 << 30, 1 << 31, 0xC0000000 - 16:
        assert lay(other, id(bytes), 19, 0, address, address, address, address) == [], hex(other)
    assert lay(count, id(list), 19, 0, address, address, address, address) == []
    assert lay(count, id(bytes), 1 << 40, 0, address, address, address) == []
    assert lay(count, id(str), 3, *head, address, address) == [text]
    assert lay(count, id(str), 8, *head, address, address) == []  # other text, with more in its head
    assert lay(count, id(str), 3, *head, 0xFE7E7E, address) == []
