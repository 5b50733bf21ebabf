# SPDX-License-Identifier: Apache-2.0
"""Start to end of a Python that does nothing, and of one that has something to analyse at its end; both also without a
record of allocations."""
import paired

python, library, output, pairs = paired.arguments()
IMPORTS = "import random, logging, asyncio, concurrent.futures"
paired.save(output, python, paired.measure_each(python, {"pass": "pass", "imports": IMPORTS}, library, pairs or 101))
