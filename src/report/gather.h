/* SPDX-License-Identifier: Apache-2.0 */
/* gather.h - all live blocks, for a mark. In the frozen copy. */
#ifndef REPORT_GATHER_H
#define REPORT_GATHER_H
#include <stdint.h>

#include "native/roots.h"
#include "native/slots.h"
#include "retention/mark.h"

enum gather_kind {
	GATHER_NATIVE,      /* a block of the malloc family */
	GATHER_PYTHON,      /* one of CPython's allocators */
	GATHER_UNREADABLE,  /* part of it cannot be read, as with a guard page in it: nothing can be told about it */
	GATHER_SLOT,        /* static data of a fork handler, as if it were a block */
	GATHER_CLOSURE,     /* the closure of one that is a thunk: likewise, but who knows its address is asked later */
};

struct gathered {
	struct mark mark;
	uint8_t *kind;      /* [mark.count] enum gather_kind */
	uint32_t *slot;     /* [slots] index of each in the mark, ascending */
	const struct slots *slots;
};

/* gather_blocks - all blocks judged but those that cannot be read, @slots (NULL: none) among them. @gathered: zeroed.
 * Return: 0 or -ENOMEM; gather_finish in any case. */
int gather_blocks(struct gathered *gathered, const struct roots *roots, const struct slots *slots);
void gather_finish(struct gathered *gathered);

#endif
