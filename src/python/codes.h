/* SPDX-License-Identifier: Apache-2.0 */
/* codes.h - code objects met in allocation stacks: names copied on first sight, because a code object may die
 * before the report. */
#ifndef PYTHON_CODES_H
#define PYTHON_CODES_H
#include <stdbool.h>
#include <stdint.h>
#include "ledger/stacks.h"

/* A code object as long as it lives. @serial: no other has had it, dead or alive. @id: of its names, 0 if it has
 * none of its own (code that the interpreter itself brings for its frames). */
struct code {
	uint32_t serial, id;
};

/* codes_see - the code object at @address, which the caller keeps alive: its names are copied at first sight.
 * @room: CODES_TEXT bytes for the caller's use only. With its interpreter's GIL. Memory: ours alone, nothing of the
 * host's changes. Signal: not safe. Return: id 0 also if memory ran out. */
#define CODES_TEXT 4096u
struct code codes_see(uintptr_t address, char *room);

/* codes_dead - the block at @address is about to be freed; there may have been a code object. Cheap. codes_deaths -
 * how many known ones have died: what is remembered of frames by address is void after a death. */
void codes_dead(uintptr_t address);
uint32_t codes_deaths(void);

/* codes_frame - what a key of TRACE_PYTHON means, as a frame of the ledger (function, file, line). For the frozen
 * copy. */
struct frame codes_frame(uint64_t key);

/* codes_child - in a fork's child, before anything else. */
void codes_child(void);

#endif
