/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark.h - what hangs off some memory alone, told conservatively: every aligned word that could be a pointer into
 * a block, also into its middle, is one.
 *
 * Memory comes in three parts: *sources* (each word of theirs has a label: on whose account it holds something),
 * *judged* blocks, and all the rest, which is *outside*. A judged block that sources reach, directly or through
 * other judged blocks, gets a label: the common one of all that hold it. If a word outside leads to it, or one in
 * a judged block that no source reaches, its label is MARK_OUTSIDE, and so is that of all it leads to that have one.
 * Nothing is told about words that are in no part at all, so what is left with a label is only as true as the
 * parts are complete.
 */
#ifndef RETENTION_MARK_H
#define RETENTION_MARK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "retention/places.h"

#define MARK_FREE UINT32_MAX            /* as a label: no source reaches it */
#define MARK_OUTSIDE (UINT32_MAX - 1)   /* held from outside as well */

#define MARK_QUEUE 64u                  /* words under way; of 2, as are the next */
#define MARK_READY 16u
#ifndef MARK_STACK
#define MARK_STACK 4096u                /* a test has fewer */
#endif

#define MARK_SIZE_HIGH (62u - ADDRESS_BITS)  /* bits of a size, above its lower 32 */

/* 16 bytes: whatever is asked about a block lies in one line of the cache. */
struct mark_block {
	uint64_t start : ADDRESS_BITS, judged : 1, waits : 1, size_high : MARK_SIZE_HIGH;
	uint32_t size_low, label;
};

struct mark {
	uint32_t count, room;
	struct mark_block *block;          /* [count] ascending by start, they do not overlap */
	uint32_t (*join)(void *context, uint32_t label, uint32_t other);
	void *context;

	/* mark.c's own: */
	struct places places;
	uint32_t *stack, depth;            /* [MARK_STACK] blocks whose words are to be looked at, */
	uint64_t *waits;                   /* and those for which it has no room: a bit for each block */
	uint32_t waiting, swept;           /* bits that are set; of these the last that was taken */
	bool sweeping;                     /* they are taken by address, and no block is put on the stack */
	uintptr_t low, high;               /* of the blocks that matter */
	uint32_t held;                     /* once narrowed: blocks that are not held from outside so far */
	bool narrowed;
	struct {
		uintptr_t word;
		struct place_page *page;
		uint32_t block, label;
		bool allocator;
	} queue[MARK_QUEUE];
	uint64_t put, found, taken;        /* in the queue: each word is put, found, taken */
	uint32_t ready[MARK_READY];        /* off the stack, and asked for from memory */
	uint64_t readied, scanned;
};

/* mark_size - bytes of a block; of what can be read. mark_resize - it has less than what was added. */
static inline size_t mark_size(const struct mark *mark, uint32_t block)
{
	return (size_t)mark->block[block].size_high << 32 | mark->block[block].size_low;
}

static inline void mark_resize(struct mark *mark, uint32_t block, size_t size)
{
	mark->block[block].size_low = (uint32_t)size;
	mark->block[block].size_high = size >> 32 & ((1u << MARK_SIZE_HIGH) - 1);
}

static inline uintptr_t mark_end(const struct mark *mark, uint32_t block)
{
	return mark->block[block].start + mark_size(mark, block);
}

/* mark_add - a block, above all that have been added; judged or outside. Its bit `judged` may be changed until the
 * first source is there, its label is to be read. Return: its index, or MARK_FREE: no memory, or it ends beyond
 * ADDRESS_BITS. Before mark_begin. Memory: 16 bytes and a bit for each block, 64 a page of heap that has blocks. */
uint32_t mark_add(struct mark *mark, uintptr_t start, size_t size, bool judged);

/* mark_begin - all blocks are there. @join gives the label of what two hold: associative, commutative, idempotent,
 * never MARK_FREE; it is not asked about MARK_OUTSIDE, which swallows any. NULL: all sources have one label, which is
 * faster. Return: 0 or -ENOMEM. */
int mark_begin(struct mark *mark, uint32_t (*join)(void *context, uint32_t label, uint32_t other), void *context);

/* mark_find - index of the block that holds @address, or MARK_FREE. */
uint32_t mark_find(const struct mark *mark, uintptr_t address);

/* mark_find_all - the same of @count addresses, into @block: none waits for another one's memory. */
void mark_find_all(const struct mark *mark, const uintptr_t *address, uint32_t *block, unsigned count);

/* mark_hold - @block is held on account of @label: its words are another source. mark_source - the words of
 * [start, end) hold what they lead to on account of @label; @allocator: they are libc's allocator's, where a pointer at
 * the last word of a block means the free memory behind it. mark_spread - pass on what has been given so far: after all
 * sources, and after all outside. Iterative; a block is looked at again when its label changes. */
void mark_hold(struct mark *mark, uint32_t block, uint32_t label);
void mark_source(struct mark *mark, uintptr_t start, uintptr_t end, uint32_t label, bool allocator);
void mark_spread(struct mark *mark);

/* mark_narrow - only blocks that a source reaches matter from now on: the rest is outside. mark_done - and of these
 * nothing is left: whatever else lies outside need not be looked at. */
void mark_narrow(struct mark *mark);
bool mark_done(const struct mark *mark);

/* mark_outside - the words of [start, end), which may be read, lie outside. Also to be called for the judged blocks
 * that no source has reached (MARK_FREE). */
void mark_outside(struct mark *mark, uintptr_t start, uintptr_t end, bool allocator);

void mark_finish(struct mark *mark);

#endif
