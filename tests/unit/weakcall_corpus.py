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
import threading
import types
import weakref


class Owner:
    def method(self, *arguments):
        raise SystemError("the owner is alive")


def dead():
    return weakref.WeakMethod(Owner().method)


flag = threading.Event()  # not understood: a path for each answer
lock = threading.Lock()
global_dead = dead()
cases = []


def case(verdict, since=(3, 9)):
    def note(make):
        if sys.version_info[:2] >= since:
            cases.append((make.__name__, verdict, make(dead())))
        return make
    return note


def compiled(name, verdict, text, since=(3, 9)):
    """A case whose syntax an old Python does not know."""
    if sys.version_info[:2] >= since:
        scope = dict(globals())
        exec("def make(w):\n" + "".join("    %s\n" % line for line in text.splitlines()) + "    return f\n", scope)
        cases.append((name, verdict, scope["make"](dead())))


@case("raises")
def call_call(w): return lambda: w()()
@case("raises")
def call_method(w): return lambda: w().x()
@case("raises")
def call_method_arguments(w): return lambda: w().x(1, 2, key=3)
@case("raises")
def call_attribute(w): return lambda: w().x
@case("raises")
def call_self(w): return lambda: w().__self__
@case("raises")
def call_star(w): return lambda: w()(*())
@case("raises")
def call_keywords(w): return lambda: w()(1, key=2)
@case("raises")
def call_two_stars(w): return lambda: w()(*(), **{})
@case("raises")
def default_argument(w): return lambda w=w: w()()
@case("raises")
def keyword_default(w): return lambda *, w=w: w()()
@case("raises")
def argument_of_partial(w):
    def f(w): w()()
    return functools.partial(f, w)
@case("raises")
def second_argument_of_partial(w):
    def f(a, w, b=1): w()()
    return functools.partial(f, 1, w)
@case("raises")
def module_global(w): return lambda: global_dead()()
@case("raises")
def subscript(w): return lambda: w()[0]
@case("raises")
def iterate(w):
    def f():
        for x in w(): print(x)
    return f
@case("raises")
def unpack(w):
    def f(): a, b = w()
    return f
@case("raises")
def star_of(w): return lambda: [*w()]
@case("raises")
def contains(w): return lambda: 1 in w()
@case("raises")
def store_attribute(w):
    def f(): w().x = 1
    return f
@case("raises")
def context_manager(w):
    def f():
        with w(): pass
    return f
@case("raises")
def assigned(w):
    def f():
        m = w()
        m()
    return f
@case("raises")
def try_finally(w):
    def f():
        try: w()()
        finally: flag.is_set()
    return f
@case("raises")
def finally_with_branch(w):
    def f():
        try: w()()
        finally:
            if flag.is_set(): os.getpid()
    return f
@case("raises")
def except_other(w):
    def f():
        try: w()()
        except ValueError: pass
    return f
@case("raises")
def except_attribute_error_of_a_call(w):
    def f():
        try: w()()
        except (AttributeError, KeyError): pass
    return f
@case("raises")
def except_type_error_of_an_attribute(w):
    def f():
        try: w().x()
        except TypeError: pass
    return f
@case("raises")
def raise_again(w):
    def f():
        try: w()()
        except TypeError:
            os.getpid()
            raise
    return f
@case("raises")
def raise_in_handler(w):
    def f():
        try: w()()
        except TypeError as error: w().x(error)
    return f
@case("raises")
def nested_try(w):
    def f():
        try:
            try: w()()
            except KeyError: pass
        except ValueError: pass
    return f
@case("raises")
def wrong_guard(w):
    def f():
        m = w()
        if m is None: m()
    return f
@case("raises")
def wrong_or(w): return lambda: w() or w()()
@case("raises")
def assertion(w):
    def f():
        m = w()
        assert m is not None
        m()
    return f
@case("raises")
def assertion_with_message(w):
    def f():
        m = w()
        assert m, "gone"
        m()
    return f
@case("raises")
def explicit_raise(w):
    def f():
        m = w()
        if m is None: raise RuntimeError("gone")
        m()
    return f
@case("raises")
def both_ways(w):
    def f():
        if flag.is_set(): os.getpid()
        else: os.getppid()
        w()()
    return f
@case("raises")
def after_a_loop(w):
    def f():
        for i in range(3):
            if i == flag: continue
            os.getpid()
        while flag.is_set(): os.getpid()
        w()()
    return f
@case("raises")
def many_branches(w):
    def f():
        if flag.is_set(): os.getpid()
        if flag.is_set(): os.getpid()
        if flag.is_set(): os.getpid()
        if flag.is_set(): os.getpid()
        if flag.is_set(): os.getpid()
        if flag.is_set(): os.getpid()
        if flag.is_set(): os.getpid()
        if flag.is_set(): os.getpid()
        w()()
    return f
@case("raises")
def after_comprehension(w):
    def f():
        pids = [os.getpid() for i in range(2) if i]
        w()(pids, {str(p): f"{p:>5}" for p in pids}, *pids)
    return f
@case("raises")
def long_code(w):
    scope = {"w": w, "flag": flag}
    body = "".join("    x%d = '%d'\n" % (i, i) for i in range(100)) + "    y = 1\n"
    branch = "    if flag.is_set():\n        %s\n" % ("y = [y]; " * 100 + "pass")
    exec("def f(w=w, flag=flag):\n%s%s    w()()\n" % (body, branch), scope)
    return scope["f"]
@case("raises")
def cell_of_its_own(w):
    def f():
        m = w()
        inner = lambda: os.getpid()
        inner()
        m()
    return f
@case("raises")
def imports(w):
    def f():
        import os as system
        from os import getpid
        system.getppid(), getpid()
        w()()
    return f
@case("raises")
def swaps(w):
    def f():
        a, b = 1, w
        a, b = b, a
        c, b, a = b, a, a
        b()()
    return f
@case("raises")
def slices(w):
    def f():
        a = [1, 2, 3]
        a[0:1] = a[1:2]
        a[0] += 1
        del a[0]
        a = -a[0], not a, {1, 2}, {"a": 1, "b": a}
        w()()
    return f
@case("raises")
def chained_comparison(w):
    def f():
        a = 1 < os.getpid() < 2
        w()()
        return a
    return f


@case("guarded")
def is_not_none(w):
    def f():
        m = w()
        if m is not None: m()
    return f
@case("guarded")
def if_truth(w):
    def f():
        m = w()
        if m: m()
    return f
@case("guarded")
def if_not(w):
    def f():
        m = w()
        if not m: return
        m()
    return f
@case("guarded")
def walrus(w):
    def f():
        if m := w(): m()
    return f
@case("guarded")
def walrus_is_not_none(w):
    def f():
        if (m := w()) is not None: m(1, 2)
    return f
@case("guarded")
def walrus_expression(w): return lambda: (m := w()) and m()
@case("guarded")
def asked_twice(w): return lambda: w() and w()()
@case("guarded")
def and_method(w):
    def f():
        m = w()
        m and m()
    return f
@case("guarded")
def conditional(w): return lambda: w()() if w() is not None else None
@case("guarded")
def conditional_reversed(w): return lambda: None if w() is None else w()()
@case("guarded")
def equal_none(w):
    def f():
        m = w()
        if m != None: m()
    return f
@case("guarded")
def early_return(w):
    def f():
        m = w()
        if m is None: return
        m()
    return f
@case("guarded")
def early_return_value(w):
    def f():
        m = w()
        if m is None: return 1
        return m()
    return f
@case("guarded")
def or_return(w): return lambda: w() or 1
@case("guarded")
def just_called(w): return lambda: w()
@case("guarded")
def is_callable(w):
    def f():
        m = w()
        if callable(m): m()
    return f
@case("guarded")
def as_bool(w):
    def f():
        if bool(w()): w()()
    return f
@case("guarded")
def own_attribute(w): return lambda: w().__class__
@case("guarded")
def while_alive(w):
    def f():
        while (m := w()) is not None: m()
    return f
@case("guarded")
def except_type_error(w):
    def f():
        try: w()()
        except TypeError: pass
    return f
@case("guarded")
def except_attribute_error(w):
    def f():
        try: w().x()
        except AttributeError: pass
    return f
@case("guarded")
def except_exception(w):
    def f():
        try: w()()
        except Exception: os.getpid()
    return f
@case("guarded")
def except_exception_as(w):
    def f():
        try: w()()
        except Exception as error: str(error)
    return f
@case("guarded")
def except_base(w):
    def f():
        try: w()()
        except BaseException: pass
    return f
@case("guarded")
def bare_except(w):
    def f():
        try: w()()
        except: pass
    return f
@case("guarded")
def except_tuple(w):
    def f():
        try: w().x()
        except (TypeError, AttributeError): pass
    return f
@case("guarded")
def except_second(w):
    def f():
        try: w()()
        except ValueError: os.getpid()
        except TypeError: os.getppid()
        else: os.getpid()
        finally: os.getpid()
    return f
@case("guarded")
def except_outer(w):
    def f():
        try:
            try: w()()
            finally: os.getpid()
        except TypeError: pass
    return f
@case("guarded")
def except_around_guard(w):
    def f():
        try:
            m = w()
            if m is not None: m()
        except ValueError: os.getpid()
        finally: os.getppid()
    return f
@case("guarded")
def return_in_finally(w):
    scope = {"w": w}
    exec("def f(w=w):\n while True:\n  try:\n   w()()\n  finally:\n   break", scope)
    return scope["f"]
@case("guarded")
def guarded_default(w):
    def f(w=w):
        if (m := w()) is not None: m()
    return f
@case("guarded")
def guarded_partial(w):
    def f(w, n):
        if m := w(): m(n)
    return functools.partial(f, w, 1)
@case("guarded")
def guarded_global(w): return lambda: global_dead() and global_dead()()
@case("guarded")
def guarded_loop(w):
    def f():
        for i in range(2):
            m = w()
            if m is None: continue
            m(i)
    return f


@case("-")
def suppress(w):
    def f():
        with contextlib.suppress(TypeError): w()()
    return f
@case("-")
def with_lock(w):
    def f():
        with lock: w()()
    return f
@case("-")
def behind_a_flag(w):
    def f():
        if flag.is_set(): w()()
    return f
@case("-")
def passed_on(w):
    def helper(x): return x() and x()()
    return lambda: helper(w)
@case("-")
def none_passed_on(w): return lambda: isinstance(w(), types.MethodType) and w()()
@case("-")
def in_inner_function(w):
    def f():
        def inner(): w()()
        return inner
    return f
@case("-")
def in_a_list(w):
    def f():
        for r in [w]: r()()
    return f
@case("-")
def in_own_list(w):
    refs = [w]
    def f():
        for r in refs: r()()
    return f
@case("-")
def attribute_of_reference(w): return lambda: w.__call__()()
@case("-")
def handler_of_something_else(w):
    def f():
        try: os.getpid()
        except OSError: w()()
    return f
@case("-")
def except_unknown(w):
    errors = (TypeError,)
    def f():
        try: w()()
        except errors: pass
    return f
@case("-")
def generator(w):
    def f():
        w()()
        yield
    return f
@case("-")
def rebound_global(w):
    def f():
        global global_dead
        keep = global_dead
        global_dead = lambda: None
        try: return global_dead()
        finally: global_dead = keep
    return f
@case("-")
def getstate(w): return lambda: w().__getstate__
@case("-")
def star_call_of_reference(w): return lambda: w(*())()


async def never_awaited(): global_dead()()
cases.append(("coroutine", "-", never_awaited))
compiled("match_none", "guarded", "def f():\n    match w():\n        case None: pass\n        case m: m()", (3, 10))
compiled("match_class", "-", "def f():\n    match w():\n        case str(): pass\n        case m: m()", (3, 10))
compiled("except_star", "-", "def f():\n    try: w()()\n    except* TypeError: pass", (3, 11))


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
