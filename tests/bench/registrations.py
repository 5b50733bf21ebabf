# SPDX-License-Identifier: Apache-2.0
"""32,000 registrations: of one function, and of as many objects' methods. The difference is the cost of recording and of
the analysis at the end together.
"""
import paired

FUNCTION = '''
import os
def handler(): pass
for _ in range(32000):
    os.register_at_fork(after_in_child=handler)
'''
OBJECTS = '''
import os
class Owner:
    def __init__(self): self.payload = [1.5, "text"]
    def handler(self): pass
for _ in range(32000):
    os.register_at_fork(after_in_child=Owner().handler)
'''

python, library, output, pairs = paired.arguments()
paired.save(output, python, {
    "one function": paired.measure([python, "-c", FUNCTION], library, pairs or 9),
    "objects": paired.measure([python, "-c", OBJECTS], library, pairs or 9),
})
