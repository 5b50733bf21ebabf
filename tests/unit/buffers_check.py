# SPDX-License-Identifier: Apache-2.0
"""buffers_check.py MODULE - which bytes of a block may hold pointers: of bytes and ints those of the head and of whole
words; of others, of subclasses, and where the length does not fit, all.
"""
import ctypes
import sys

HEAD, TEXT = 24, 32
module = ctypes.PyDLL(sys.argv[1])
module.test_pointers.argtypes = [ctypes.py_object, ctypes.c_size_t]
module.test_pointers.restype = ctypes.c_size_t
if not module.test_attach():
    print("not understood: nothing to compare")
    sys.exit(0)


class Bytes(bytes):
    pass


class Int(int):
    pass


def pointers(value, more=0):
    """Of a block as the allocators give it: of a multiple of 16 bytes."""
    size = (sys.getsizeof(value) + 15) // 16 * 16 + more
    return module.test_pointers(value, size), size


for length in range(1, 100):
    value = b"x" * length
    found, size = pointers(value)
    assert found == TEXT + length, (length, found)
    for more in 16, 160:
        found, size = pointers(value, more)
        assert found == size, (length, found, size)
    if size > 48:
        assert module.test_pointers(value, size - 16) == size - 16, length
for exponent in range(1, 400, 7):
    for value in 3 ** exponent, -3 ** exponent:
        found, size = pointers(value)
        assert found == HEAD, (value, found)
        found, size = pointers(value, 16)
        assert found == size, (value, found)
for value in ("a text", Bytes(b"x" * 20), Int(1 << 70), 1.5, (1, 2), [1, 2], bytearray(20), True, None, object()):
    found, size = pointers(value)
    assert found == size, (value, found)
