/* SPDX-License-Identifier: Apache-2.0 */
/* datastack.h - the memory in which a thread's frames are made (3.11+). For the frozen copy. */
#ifndef PYTHON_DATASTACK_H
#define PYTHON_DATASTACK_H
#include <stdint.h>

/* datastack_rests - @visit what lies behind the frames of each thread of the current interpreter, in the chunk where
 * its next frame would be made: words of frames that have returned. Of a thread whose chunk is not recognised nothing.
 * With the GIL. */
void datastack_rests(void (*visit)(void *context, uintptr_t start, uintptr_t end), void *context);

#endif
