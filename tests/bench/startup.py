# SPDX-License-Identifier: Apache-2.0
"""Start to end of a Python that does nothing, and of one that has something to analyse at its end."""
import paired

python, library, output, pairs = paired.arguments()
IMPORTS = "import random, logging, asyncio, concurrent.futures"
paired.save(output, python, {
    "pass": paired.measure([python, "-c", "pass"], library, pairs or 101),
    "imports": paired.measure([python, "-c", IMPORTS], library, pairs or 101),
})
