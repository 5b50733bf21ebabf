# SPDX-License-Identifier: Apache-2.0
"""Writes this Python's bytecode of handlers over a dead weak reference, one case a block of lines, for test_weakcall.

Every expectation is checked here first, by calling the handler: what is expected to raise must raise, what is expected
to be guarded must not. "-" stands for undecided. Also writes the opcode numbers, for the table of opcodes.
"""
import contextlib
import functools
import opcode
import os
import sys
import weakref

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import weakcall_quiet  # noqa: E402,F401
import weakcall_raises  # noqa: E402,F401
from weakcall_case import cases  # noqa: E402


def parts(handler):
    """The function below a partial, and where its dead references are."""
    arguments = handler.args if isinstance(handler, functools.partial) else ()
    function = handler.func if isinstance(handler, functools.partial) else handler
    code = function.__code__
    is_dead = lambda x: isinstance(x, weakref.ref) and x() is None
    sources = ["deref %d" % i for i, cell in enumerate(function.__closure__ or ()) if is_dead(cell.cell_contents)]
    sources += ["fast %d" % i for i, argument in enumerate(arguments) if is_dead(argument)]
    defaults = function.__defaults__ or ()
    first = code.co_argcount - len(defaults)
    sources += ["fast %d" % (first + i) for i, value in enumerate(defaults) if is_dead(value)]
    for name, value in (function.__kwdefaults__ or {}).items():
        if is_dead(value):
            sources.append("fast %d" % code.co_varnames.index(name))
    sources += ["global %s" % name for name in code.co_names if is_dead(function.__globals__.get(name))]
    return code, sources


def really(name, verdict, handler):
    try:
        with contextlib.suppress(StopIteration):
            handler()
        raised = False
    except Exception:
        raised = True
    if verdict != "-" and raised != (verdict == "raises"):
        sys.exit("%s: expected %s, but calling it %s" % (name, verdict, "raised" if raised else "did not raise"))


def write(name, verdict, handler, out):
    code, sources = parts(handler)
    words = lambda values: " ".join(str(v) for v in values)
    print("case", name, file=out)
    print("verdict", verdict, file=out)
    print("flags", code.co_flags, file=out)
    print("code", code.co_code.hex() or "-", file=out)
    print("exceptions", getattr(code, "co_exceptiontable", b"").hex() or "-", file=out)
    print("counts", code.co_nlocals, len(code.co_cellvars), len(code.co_freevars),
          len(set(code.co_varnames) | set(code.co_cellvars)), file=out)
    print("names", words(code.co_names), file=out)
    print("nones", words(i for i, value in enumerate(code.co_consts) if value is None), file=out)
    for source in sources:
        print("source", source, file=out)
    print("end", file=out)


def main(out):
    import warnings
    warnings.simplefilter("ignore")
    print("version", (sys.version_info[0] << 8) + sys.version_info[1], file=out)
    for name, number in sorted(opcode.opmap.items()):
        if number < 256:
            print("opcode", number, name, file=out)
    for name in sorted(set(dir(None)) | {"__getstate__", "__self__", "__func__", "x"}):
        print("attribute", int(hasattr(None, name)), name, file=out)
    for _ in range(30):  # warm: the specialising interpreter must leave no trace in co_code
        for each in cases:
            really(*each)
    for each in cases:
        write(*each, out)


if __name__ == "__main__":
    main(sys.stdout)
