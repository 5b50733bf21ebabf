# SPDX-License-Identifier: Apache-2.0
"""The frozen copy seen from outside: its processor time, which a busy machine changes less than the clock's, and the memory
that it takes beyond what it was copied from.
"""
import os
import time


def processor_time(pid):
    """Seconds that a process has run, in hundredths, its own and the kernel's for it; 0 if it is gone."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return tuple(int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:13])


def mappings(pid, details):
    """(start, end, resident bytes) of each mapping, or nothing if the process is gone."""
    found = []
    try:
        with open("/proc/%d/%s" % (pid, "smaps" if details else "maps"), encoding="utf-8", errors="replace") as file:
            for line in file:
                first = line.split(None, 1)[0]
                if first == "Rss:":
                    found[-1][2] = 1024 * int(line.split()[1])
                elif not first.endswith(":"):
                    start, _, end = first.partition("-")
                    found.append([int(start, 16), int(end, 16), 0])
    except OSError:
        return []
    return found


def own_memory(copy, parent):
    """Resident bytes of the copy in mappings that its parent does not have."""
    theirs = mappings(parent, False)
    total = 0
    for start, end, resident in mappings(copy, True) if theirs else ():
        shared = sum(max(0, min(end, other[1]) - max(start, other[0])) for other in theirs)
        total += min(resident, end - start - shared)
    return total


def copies_of(pid):
    """Of the children of all threads of a process those that are copies: they name themselves."""
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task), encoding="ascii") as file:
                children = file.read().split()
            for each in children:
                with open("/proc/%s/comm" % each, encoding="ascii") as file:
                    if file.read() == "forkheld\n":
                        yield int(each)
    except OSError:
        pass


def watch(child, memory):
    """Until @child, a Popen, has ended: the most that a copy of it came to, own bytes (@memory) or both processor times. In runs
    of their own: reading a process's smaps holds it up.
    """
    most = 0 if memory else (0, 0)
    while child.poll() is None:
        for copy in copies_of(child.pid):
            most = max(most, own_memory(copy, child.pid) if memory else processor_time(copy))
        time.sleep(0.005)
    return most
