# SPDX-License-Identifier: Apache-2.0
"""Handlers that are guarded, and those about which nothing can be said."""
import contextlib
import functools
import os
import types

from weakcall_case import case, cases, compiled, dead, flag, lock

global_dead = dead()


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
