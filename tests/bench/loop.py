# SPDX-License-Identifier: Apache-2.0
"""A pure Python loop (objects, dicts, strings, floats, calls) of some three seconds, with and without the library."""
import paired

WORK = '''
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
command = [python, "-c", WORK.replace("ROUNDS", "300000")]
paired.save(output, python, {"loop": paired.measure(command, library, pairs or 11)})
