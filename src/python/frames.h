/* SPDX-License-Identifier: Apache-2.0 */
/* frames.h - the Python stack of the calling thread, copied. */
#ifndef PYTHON_FRAMES_H
#define PYTHON_FRAMES_H
#include <stdbool.h>
#include <stdint.h>

/* frames_here - the current thread's Python stack as an interned stack (ledger/stacks.h), innermost first;
 * STACK_NONE when no Python code runs. With the GIL. *@standard: the innermost frame is the body of a standard
 * library module, that is, an import of it. The frame objects that the C API makes for this live as long as their
 * calls. */
uint32_t frames_here(bool *standard);

#endif
