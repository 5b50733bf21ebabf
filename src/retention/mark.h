/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark.h - what hangs off some memory alone, told conservatively: every aligned word that could be a pointer into
 * a block, also into its middle, is one.
 *
 * Memory comes in three parts: *sources* (each word of theirs has a label: on whose account it holds something),
 * *judged* blocks, and all the rest, which is *outside*. A judged block that sources reach, directly or through
 * other judged blocks, gets a label: the common one of all that hold it. If a word outside leads to it, or one in
 * a judged block that no source reaches, its label is MARK_OUTSIDE, and so is that of everything it leads to.
 * Nothing is told about words that are in no part at all, so what is left with a label is only as true as the
 * parts are complete.
 */
#ifndef RETENTION_MARK_H
#define RETENTION_MARK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARK_FREE UINT32_MAX            /* as a label: no source reaches it */
#define MARK_OUTSIDE (UINT32_MAX - 1)   /* held from outside as well */

#define MARK_QUEUE 16u

struct mark {
	uint32_t count, room;
	uintptr_t *start;                  /* [count] ascending, blocks do not overlap */
	size_t *size;                      /* [count] bytes; of what can be read */
	uint32_t *label;                   /* [count] after mark_begin */
	bool *judged;                      /* [count] may be changed until the first source is there */
	uint32_t (*join)(void *context, uint32_t label, uint32_t other);
	void *context;

	/* mark.c's own: */
	uint32_t **regions;                /* by address: the first block that begins in that page or later */
	uint32_t *stack, depth;            /* blocks whose words are to be looked at */
	bool *stacked;
	uintptr_t low, high;               /* of the blocks that matter */
	struct { uintptr_t word; uint32_t label; bool allocator; } queue[MARK_QUEUE];
	uint64_t put, taken;
};

/* mark_add - a block, above all that have been added; judged or outside. Return: its index, or MARK_FREE: no memory, or
 * @start beyond 47 bits. Before mark_begin. */
uint32_t mark_add(struct mark *mark, uintptr_t start, size_t size, bool judged);

/* mark_begin - all blocks are there. @join gives the label of what two hold: associative, commutative, idempotent,
 * never MARK_FREE; it is not asked about MARK_OUTSIDE, which swallows any. Return: 0 or -ENOMEM. */
int mark_begin(struct mark *mark, uint32_t (*join)(void *context, uint32_t label, uint32_t other), void *context);

/* mark_find - index of the block that holds @address, or MARK_FREE. */
uint32_t mark_find(const struct mark *mark, uintptr_t address);

/* mark_hold - @block is held on account of @label: its words are another source. mark_source - the words of
 * [start, end) hold what they lead to on account of @label; @allocator: they are libc's allocator's, where a pointer at
 * the last word of a block means the free memory behind it. mark_spread - pass on what has been given so far: after all
 * sources, and after all outside. Iterative; a block is looked at again when its label changes. */
void mark_hold(struct mark *mark, uint32_t block, uint32_t label);
void mark_source(struct mark *mark, uintptr_t start, uintptr_t end, uint32_t label, bool allocator);
void mark_spread(struct mark *mark);

/* mark_narrow - only blocks that a source reaches matter from now on: the rest is outside. */
void mark_narrow(struct mark *mark);

/* mark_outside - the words of [start, end), which may be read, lie outside. Also to be called for the judged blocks
 * that no source has reached (MARK_FREE). */
void mark_outside(struct mark *mark, uintptr_t start, uintptr_t end, bool allocator);

void mark_finish(struct mark *mark);

#endif
