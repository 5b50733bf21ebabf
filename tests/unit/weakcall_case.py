# SPDX-License-Identifier: Apache-2.0
"""What the cases of weakcall have in common: an owner that has gone, and the list that they are put in."""
import sys
import threading
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
        scope = {}
        exec("def make(w):\n" + "".join("    %s\n" % line for line in text.splitlines()) + "    return f\n", scope)
        cases.append((name, verdict, scope["make"](dead())))
