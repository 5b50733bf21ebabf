# SPDX-License-Identifier: Apache-2.0
"""Handlers that raise when called: every ordinary way through them ends in an exception."""
import functools
import os

from weakcall_case import case, dead, flag

global_dead = dead()


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
