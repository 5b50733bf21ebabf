# SPDX-License-Identifier: Apache-2.0
"""Pure Python loops of some three seconds, with and without the library: over numbers in lists, and one that makes
objects, dicts and strings all the time. Both also without a record of allocations.
"""
import paired

NUMBERS = '''
from itertools import permutations

def most_flips(size):
    """Of all permutations: how often the first elements are turned round until the first is 0."""
    most = 0
    for order in permutations(range(size)):
        now, flips = list(order), 0
        while now[0]:
            first = now[0]
            now[:first + 1] = now[first::-1]
            flips += 1
        if flips > most:
            most = flips
    return most

def relax(size, rounds):
    row = [float(n) for n in range(size)]
    for _ in range(rounds):
        for n in range(1, size - 1):
            row[n] = (row[n - 1] + row[n] + row[n + 1]) / 3.0
    return sum(row)

most_flips(FLIPS), relax(200, 10 * ROUNDS)
'''

OBJECTS = '''
class Body:
    def __init__(self, x, v):
        self.x, self.v = x, v

    def step(self, others):
        for other in others:
            d = self.x - other.x
            self.v -= d * 0.001 / (d * d + 1.0)
        self.x += self.v

def work(rounds):
    bodies = [Body(float(n), 0.0) for n in range(12)]
    counts, words = {}, []
    for n in range(rounds):
        for body in bodies:
            body.step(bodies)
        key = "key %d" % (n % 997)
        counts[key] = counts.get(key, 0) + 1
        words.append(Body(n, [n, str(n), (n, key)]))
        if len(words) > 5000:
            words = words[::2]
    return sum(counts.values()), sum(body.x for body in bodies), "".join(sorted(counts))[:10]

work(ROUNDS)
'''

python, library, output, pairs = paired.arguments()
LOOPS = {"numbers": NUMBERS.replace("FLIPS", "10").replace("ROUNDS", "1000"), "objects": OBJECTS.replace("ROUNDS", "300000")}
paired.save(output, python, paired.measure_each(python, LOOPS, library, pairs or 11))
