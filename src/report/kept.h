/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kept.h - the blocks that nothing leads to but the static data of native fork handlers (slots): if that data
 * went, they would be lost. Runs in the frozen copy.
 */
#ifndef REPORT_KEPT_H
#define REPORT_KEPT_H
#include <stdbool.h>
#include <stdint.h>

#include "native/roots.h"
#include "native/slots.h"

#define KEPT_READERS 4u  /* other users of a slot that are named */
#define KEPT_SLOT UINT32_MAX

struct kept_block {
	uintptr_t start;
	size_t size;
	uint32_t slot;          /* index; of several the first that others read too, else the first */
	uint32_t holder;        /* index of the block that leads to it on a shortest path; KEPT_SLOT: the slot itself */
	uint32_t stack;
	uint64_t offset;        /* of the pointer, in its holder */
};

/* What there is to say of a slot that leads to blocks. */
struct kept_slot {
	uint64_t blocks, bytes;
	uint32_t readers;                     /* others than handlers and what registered them; 0: strong. Of a slot to
	                                       * which another one leads: or of that one */
	const char *reader[KEPT_READERS];
};

struct kept {
	struct slots slots;
	struct kept_slot *of_slot;            /* [slots.count] */
	struct kept_block *blocks;            /* [listed] by slot, those with other readers first; then as the walk comes to
	                                       * them */
	uint32_t listed, count;               /* the first ones; all that there are */
	uint64_t bytes;
	uint64_t *alone;                      /* [registrations] bytes of those that go if it alone goes */
};

/* kept_find - at most @most of them are listed. Return: NULL, or why it could not be told: a literal. Given back with
 * the copy's heap. */
const char *kept_find(struct kept *kept, const struct roots *roots, uint32_t most);

#endif
