# SPDX-License-Identifier: Apache-2.0
"""The real programs of the allocation bench, and their inputs, made here."""
import os
import random
import re
import socket
import subprocess
import time


def sqlite_script(path):
    """Inserts and queries in memory."""
    chance = random.Random(3)
    with open(path, "w", encoding="ascii") as file:
        file.write("create table t(id integer primary key, name text, value real, other integer);\ncreate index i on t(name);\n"
                   "create index o on t(other);\nbegin;\n")
        for n in range(260_000):
            file.write("insert into t values(%d, 'the name of the row is %d', %f, %d);\n"
                       % (n, chance.randrange(10**9), chance.random(), chance.randrange(5000)))
        file.write("commit;\n")
        for n in range(2_000):
            file.write("select count(*), sum(value), max(name) from t where other = %d;\n" % chance.randrange(5000))
        for n in range(15):
            file.write("select substr(name, 1, 30) k, count(*), group_concat(other) from t where id %% 7 = %d group by k order by 2 limit 3;\n"
                       % (n % 7))


def c_source(path, functions=700):
    """A large C file of ordinary functions: loops, switches, structures, expressions."""
    chance = random.Random(5)
    with open(path, "w", encoding="ascii") as file:
        file.write("typedef unsigned long word;\nextern word external(word, ...);\n")
        for n in range(60):
            file.write("struct s%d { word a, b, c[%d]; struct s%d *next; char name[%d]; double d; };\n"
                       % (n, 2 + n % 7, n, 8 + n))
        for n in range(functions):
            kind = n % 60
            file.write("static word f%d(struct s%d *p, word x, word y)\n{\n\tword i, sum = x ^ %d;\n" % (n, kind, n))
            file.write("\tfor (i = 0; i < y %% %d; i++) {\n" % (3 + n % 17))
            for k in range(chance.randrange(2, 6)):
                file.write("\t\tsum = (sum << %d | sum >> %d) + p->c[i %% %d] * (x %s %d) - (p->a & i);\n"
                           % (1 + k, 63 - k, 2 + kind % 7, chance.choice("+-^|&"), chance.randrange(1, 9999)))
            file.write("\t\tif (sum & %d)\n\t\t\tp->b += external(sum, p->name, \"text %d\");\n" % (1 << n % 13, n))
            file.write("\t}\n\tswitch (sum %% %d) {\n" % (4 + n % 9))
            for k in range(4 + n % 9):
                file.write("\tcase %d: p->d = p->d * %d.5 + (double)sum; break;\n" % (k, k + 1))
            file.write("\t}\n\tfor (; p; p = p->next)\n\t\tsum ^= p->a + (word)p->d;\n\treturn sum")
            if n >= 60:
                file.write(" + f%d(p, sum, x)" % (n - 60))
            file.write(";\n}\n")
        file.write("word all(void *p)\n{\n\treturn 0")
        for n in range(max(0, functions - 60), functions):
            file.write(" + f%d(p, %d, %d)" % (n, n, n + 1))
        file.write(";\n}\n")


def compiler_proper():
    """cc1 itself, without the driver."""
    return subprocess.run(["gcc", "-print-prog-name=cc1"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def redis_set(command, environment, directory, requests=400_000):
    """Seconds that one client's SETs take against a server run as @command ... ; a server of one's own on the loopback."""
    port = free_port()
    server = subprocess.Popen([*command, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                              env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if subprocess.run(["redis-cli", "-p", str(port), "ping"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True).stdout.strip() == "PONG":
                break
            time.sleep(0.1)
        said = subprocess.run(["redis-benchmark", "-p", str(port), "-t", "set", "-n", str(requests), "-r", "100000", "-d", "100",
                               "-P", "16", "-q", "--csv"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
        rate = float(re.search(r'"SET","([0-9.]+)"', said).group(1))
        with open("/proc/%d/stat" % server.pid, encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return requests / rate, cpu
    finally:
        subprocess.run(["redis-cli", "-p", str(port), "shutdown", "nosave"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
