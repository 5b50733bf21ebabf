# SPDX-License-Identifier: Apache-2.0
"""lines_check.py MODULE - the line of every instruction of much of the standard library, as the code object's own table
says it, is what PyCode_Addr2Line says; a table of nonsense does no harm.
"""
import ctypes
import dis
import importlib.util
import random
import sys
import types

module = ctypes.PyDLL(sys.argv[1])
module.test_attach.restype = ctypes.c_char_p
for function in module.test_lines, module.test_line, module.test_garbage:
    function.argtypes = [ctypes.py_object, ctypes.c_int]
NONE = -2
MODULES = ("argparse", "ast", "asyncio.base_events", "collections", "dataclasses", "difflib", "enum", "inspect",
           "logging", "pickle", "random", "re", "tarfile", "tempfile", "typing", "unittest.mock")
UNUSUAL = """
async def every(a, /, b=1, *, c=[x for x in (1, 2)]):
    async with a as d:
        pass
    try:
        async for e in b:
            if e and (d or
                      c):
                continue
            break
    except (ValueError,
            TypeError) as f:
        raise
    finally:
        del d
    return {
        a: b,
        **c,
    }
""" + "\n" * 70000 + """
def far(): return (lambda:
                   1)
"""


def check(code):
    found = module.test_lines(code, len(code.co_code))
    assert found == NONE, (code.co_filename, code.co_name, code.co_firstlineno, found)
    return 1 + sum(check(each) for each in code.co_consts if isinstance(each, types.CodeType))


def traced(count):
    total = 0
    for number in range(count):
        if number % 2:
            total += sum(each
                         for each in (number, count))
    return total


problem = module.test_attach()
assert problem is None, problem
count = check(compile(UNUSUAL, "unusual", "exec"))
for name in MODULES:
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        continue
    if spec and spec.origin and spec.origin.endswith(".py"):
        with open(spec.origin, "rb") as file:
            count += check(compile(file.read(), spec.origin, "exec"))
assert count > 1000, count

# Instructions change under a trace function, not their lines; what lies between them has no say there.
sys.settrace(lambda *_: None)
traced(3)
sys.settrace(None)
for instruction in dis.get_instructions(traced.__code__):
    assert module.test_line(traced.__code__, instruction.offset), instruction

chance = random.Random(1)
table = "co_linetable" if hasattr(check.__code__, "co_linetable") else "co_lnotab"
for size in list(range(40)) + [1000]:
    nonsense = bytes(chance.randrange(256) for _ in range(size))
    module.test_garbage(check.__code__.replace(**{table: nonsense}), 300)
