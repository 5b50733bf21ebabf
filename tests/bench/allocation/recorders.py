# SPDX-License-Identifier: Apache-2.0
"""Who records allocations, and how a command is run under each: the library, and its peers."""
import glob
import os
import shutil
import subprocess


def first(pattern):
    found = sorted(glob.glob(pattern))
    return found[-1] if found else None


class Recorders:
    """run(NAME, COMMAND, DIRECTORY) gives the command and the environment to run it with, or None where NAME is not there."""

    def __init__(self, library, python):
        self.library, self.python = library, python
        self.lsan = first("/usr/lib/gcc/*/*/liblsan.so")

    def environment(self, **more):
        clean = {key: value for key, value in os.environ.items()
                 if not key.startswith(("FORKHELD_", "PYTHON", "LD_PRELOAD"))}
        clean.update(PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0", **more)
        return clean

    def versions(self):
        """What stood beside the library."""
        said = {}
        for name, command in (("heaptrack", ["heaptrack", "--version"]), ("valgrind", ["valgrind", "--version"]),
                              ("memray", [self.python, "-m", "memray", "--version"]), ("gcc (LeakSanitizer)", ["gcc", "-dumpfullversion"])):
            try:
                said[name] = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                            check=True).stdout.strip().splitlines()[-1]
            except (OSError, subprocess.CalledProcessError, IndexError):
                said[name] = None
        return said

    def plain(self, command, directory, more):
        return command, self.environment(**more)

    def forkheld(self, command, directory, more, options="frames=64"):
        return command, self.environment(**more, LD_PRELOAD=self.library, FORKHELD_OPTIONS=options,
                                         FORKHELD_OUTPUT=os.path.join(directory, "report.%n.%p.json"))

    def forkheld_25(self, command, directory, more):
        return self.forkheld(command, directory, more, "frames=25")

    def forkheld_off(self, command, directory, more):
        return self.forkheld(command, directory, more, "alloc=off")

    def heaptrack(self, command, directory, more):
        if not shutil.which("heaptrack"):
            return None
        return (["heaptrack", "--raw", "-o", os.path.join(directory, "heaptrack"), *command],
                self.environment(**more))

    def valgrind(self, command, directory, more):
        if not shutil.which("valgrind"):
            return None
        return ["valgrind", "-q", "--leak-check=no", "--undef-value-errors=no", *command], self.environment(**more)

    def lsan_preloaded(self, command, directory, more):
        if not self.lsan:
            return None
        return command, self.environment(**more, LD_PRELOAD=self.lsan, LSAN_OPTIONS="exitcode=0:log_path=/dev/null")

    def tracemalloc_25(self, command, directory, more):
        return command, self.environment(**more, PYTHONTRACEMALLOC="25")

    def tracemalloc_1(self, command, directory, more):
        return command, self.environment(**more, PYTHONTRACEMALLOC="1")

    def memray(self, command, directory, more):
        return ([command[0], "-m", "memray", "run", "-q", "-f", "-o", os.path.join(directory, "memray.bin"), *command[1:]],
                self.environment(**more))

    def run(self, name, command, directory, more=None):
        return getattr(self, name)(command, directory, more or {})
