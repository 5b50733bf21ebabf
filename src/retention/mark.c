/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most of the time goes to waiting for memory: a word leads to any page, that to any block, and what is in the block
 * lies somewhere else again. So a word passes through a queue: when it is put there its page is asked for, half a queue
 * later the block is found and asked for, and half a queue later it is looked at. Blocks to be read wait likewise.
 */
#include "retention/mark.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD sizeof(uintptr_t)
#define LINE 64u
#define LINES 4u                  /* of a block are asked for: the processor sees by then that it goes on */
#define FEW 4u                    /* words in the queue, or blocks on the stack: there is time to ask for more */

uint32_t mark_add(struct mark *mark, uintptr_t start, size_t size, bool judged)
{
	if (start >> ADDRESS_BITS || size > ((uintptr_t)1 << ADDRESS_BITS) - start ||
	    size >> 32 >> MARK_SIZE_HIGH || mark->count == MARK_OUTSIDE)
		return MARK_FREE;
	if (mark->count == mark->room) {
		uint32_t room = mark->room ? 2 * mark->room : 4096;
		void *larger = room <= mark->room ? NULL : realloc(mark->block, room * sizeof(*mark->block));

		if (!larger)
			return MARK_FREE;
		mark->block = larger;
		mark->room = room;
	}
	if (places_add(&mark->places, mark->count, start, size) < 0)
		return MARK_FREE;
	mark->block[mark->count] = (struct mark_block){ .start = start, .judged = judged, .label = MARK_FREE };
	mark_resize(mark, mark->count, size);
	return mark->count++;
}

/* As long as nothing does, no word is in the range. */
static void matters(struct mark *mark, uint32_t block)
{
	if (mark->low == mark->high)
		mark->low = mark->block[block].start;
	mark->high = mark_end(mark, block);
}

int mark_begin(struct mark *mark, uint32_t (*join)(void *context, uint32_t label, uint32_t other), void *context)
{
	mark->join = join;
	mark->context = context;
	mark->waits = calloc(mark->count / 64 + (size_t)1, sizeof(*mark->waits));
	mark->stack = malloc(MARK_STACK * sizeof(*mark->stack));
	if (!mark->waits || !mark->stack || places_open(&mark->places) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < mark->count; i++)
		if (mark->block[i].judged)
			matters(mark, i);
	return 0;
}

static __attribute__((noinline)) uint32_t find_crowded(const struct mark *mark, const struct place_page *page,
							    uintptr_t word)
{
	uint32_t low = page->base, high = page->base + page->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (mark->block[middle].start <= word)
			low = middle + 1;
		else
			high = middle;
	}
	return low - 1;
}

/* The last block that begins at @word or before it, or MARK_FREE. */
static inline uint32_t find_in(const struct mark *mark, const struct place_page *page, uintptr_t word)
{
	return __builtin_expect(page->crowded, false) ? find_crowded(mark, page, word) : place_before(page, word);
}

static inline bool holds(const struct mark *mark, uint32_t block, uintptr_t word)
{
	return word - mark->block[block].start < mark_size(mark, block);
}

static inline const struct place_region *region_of(const struct mark *mark, uintptr_t address)
{
	return address >> ADDRESS_BITS ? NULL : place_region(&mark->places, address);
}

/* As find_in, for any address; it may end before that. */
static inline uint32_t find_before(const struct mark *mark, uintptr_t address)
{
	const struct place_region *region = region_of(mark, address);

	if (region && place_is_block(region))
		return place_block(region);
	return region && place_there(region, address) ? find_in(mark, place_page(&mark->places, region, address), address)
						      : MARK_FREE;
}

uint32_t mark_find(const struct mark *mark, uintptr_t address)
{
	uint32_t block = find_before(mark, address);

	return block != MARK_FREE && holds(mark, block, address) ? block : MARK_FREE;
}

void mark_find_all(const struct mark *mark, const uintptr_t *address, uint32_t *block, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct place_region *region = region_of(mark, address[i]);

		if (region && !place_is_block(region) && place_there(region, address[i]))
			__builtin_prefetch(place_page(&mark->places, region, address[i]));
	}
	for (unsigned i = 0; i < count; i++) {
		block[i] = find_before(mark, address[i]);
		if (block[i] != MARK_FREE)
			__builtin_prefetch(&mark->block[block[i]]);
	}
	for (unsigned i = 0; i < count; i++)
		if (block[i] != MARK_FREE && !holds(mark, block[i], address[i]))
			block[i] = MARK_FREE;
}

/* The stack has no room: so much waits that a sweep will do better than it, from now on. */
static void wait(struct mark *mark, uint32_t block)
{
	mark->waits[block / 64] |= UINT64_C(1) << block % 64;
	mark->waiting++;
	mark->sweeping = true;
}

static inline void hold(struct mark *mark, uint32_t index, uint32_t label)
{
	struct mark_block *block = &mark->block[index];
	uint32_t before = block->label;

	if (before == label || before == MARK_OUTSIDE || (before < MARK_OUTSIDE && label < MARK_OUTSIDE && !mark->join))
		return;
	if (before != MARK_FREE && label != MARK_OUTSIDE)
		label = mark->join(mark->context, before, label);
	if (label == before)
		return;
	mark->held -= mark->narrowed && before != MARK_FREE && label == MARK_OUTSIDE;
	block->label = label;
	if (block->waits)
		return;
	block->waits = 1;
	if (mark->depth < MARK_STACK && !mark->sweeping) {
		if (mark->depth < FEW)
			__builtin_prefetch((const void *)(uintptr_t)block->start);
		mark->stack[mark->depth++] = index;
	} else {
		wait(mark, index);
	}
}

void mark_hold(struct mark *mark, uint32_t block, uint32_t label)
{
	hold(mark, block, label);
}

static inline void find(struct mark *mark)
{
	__typeof__(mark->queue[0]) *entry = &mark->queue[mark->found++ % MARK_QUEUE];

	if (entry->page) {
		entry->block = find_in(mark, entry->page, entry->word);
		if (place_settled(entry->page, entry->block))
			entry->block = MARK_FREE;
	}
	if (entry->block != MARK_FREE) {
		__builtin_prefetch(&mark->block[entry->block], 1);
		__builtin_prefetch(&mark->waits[entry->block / 64], 1);
	}
}

static inline void take(struct mark *mark)
{
	if (mark->found == mark->taken)
		find(mark);
	__typeof__(mark->queue[0]) *entry = &mark->queue[mark->taken++ % MARK_QUEUE];
	const struct mark_block *block = &mark->block[entry->block];

	if (entry->block == MARK_FREE)
		return;
	if (block->judged && block->label != entry->label && holds(mark, entry->block, entry->word) &&
	    !(entry->allocator && entry->word == mark_end(mark, entry->block) - WORD) &&
	    !(block->label == MARK_FREE && entry->label == MARK_OUTSIDE))
		hold(mark, entry->block, entry->label);
	if (entry->page && (!block->judged || block->label == MARK_OUTSIDE ||
			    (block->label == MARK_FREE ? mark->narrowed : !mark->join && !mark->narrowed)))
		place_settle(entry->page, entry->block);
}

static inline void put(struct mark *mark, uintptr_t word, uint32_t label, bool allocator)
{
	const struct place_region *region = place_region(&mark->places, word);
	__typeof__(mark->queue[0]) *entry = &mark->queue[mark->put % MARK_QUEUE];

	if (!region || (!place_is_block(region) && !place_used(region, word)))
		return;
	if (mark->put - mark->taken == MARK_QUEUE)
		take(mark);
	else if (mark->put - mark->taken < FEW)
		__builtin_prefetch((const void *)word);
	entry->word = word;
	entry->label = label;
	entry->allocator = allocator;
	entry->block = place_block(region);
	entry->page = place_is_block(region) ? NULL : place_page(&mark->places, region, word);
	__builtin_prefetch(entry->page);
	if (++mark->put - mark->found > MARK_QUEUE / 2)
		find(mark);
}

static inline void put_all(struct mark *mark, uintptr_t start, uintptr_t end, uint32_t label, bool allocator)
{
	const uintptr_t low = mark->low, width = mark->high - low;

	for (uintptr_t at = (start + WORD - 1) & ~(uintptr_t)(WORD - 1); at + WORD <= end; at += WORD) {
		uintptr_t word = *(const uintptr_t *)at;

		if (word - low < width)
			put(mark, word, label, allocator);
	}
}

void mark_source(struct mark *mark, uintptr_t start, uintptr_t end, uint32_t label, bool allocator)
{
	put_all(mark, start, end, label, allocator);
}

void mark_outside(struct mark *mark, uintptr_t start, uintptr_t end, bool allocator)
{
	if (!mark_done(mark))
		put_all(mark, start, end, MARK_OUTSIDE, allocator);
}

/* The next that waits, from where the sweep is on; MARK_FREE: it has come to the end. */
static uint32_t next_waiting(struct mark *mark)
{
	uint32_t words = mark->count / 64 + 1, at = mark->swept / 64;

	while (at < words && !mark->waits[at])
		at++;
	if (at == words)
		return MARK_FREE;
	mark->swept = at * 64 + (unsigned)__builtin_ctzll(mark->waits[at]);
	mark->waits[at] &= mark->waits[at] - 1;
	mark->waiting--;
	return mark->swept;
}

/*
 * Nothing is left on the stack, or the sweep has come to the end. If many wait, one goes through them by address, which
 * is ten times as fast as here and there: pages follow one another. Few are better off on the stack: to look for them
 * takes longer than to look at them.
 */
static void turn(struct mark *mark)
{
	mark->swept = 0;
	mark->sweeping = mark->waiting > MARK_STACK / 2;
	while (!mark->sweeping && mark->waiting)
		mark->stack[mark->depth++] = next_waiting(mark);
	mark->swept = 0;
}

/* The next block to be read; MARK_FREE: none at present. */
static uint32_t next_block(struct mark *mark)
{
	uint32_t block;

	if (mark->depth)
		return mark->stack[--mark->depth];
	if (mark->sweeping && (block = next_waiting(mark)) != MARK_FREE)
		return block;
	turn(mark);
	return mark->depth ? mark->stack[--mark->depth] : mark->sweeping ? next_waiting(mark) : MARK_FREE;
}

/* Asks for the record of @block, and for the words of the one that is in the middle of its wait. */
static void make_ready(struct mark *mark, uint32_t block)
{
	__builtin_prefetch(&mark->block[block]);
	mark->ready[mark->readied++ % MARK_READY] = block;
	if (mark->readied - mark->scanned > MARK_READY / 2) {
		block = mark->ready[(mark->readied - MARK_READY / 2 - 1) % MARK_READY];
		for (unsigned i = 0; i < LINES && i * LINE < mark_size(mark, block); i++)
			__builtin_prefetch((const void *)(uintptr_t)(mark->block[block].start + i * LINE));
	}
}

static void scan(struct mark *mark)
{
	uint32_t block = mark->ready[mark->scanned++ % MARK_READY];

	mark->block[block].waits = 0;
	if (!mark_done(mark))
		put_all(mark, mark->block[block].start, mark_end(mark, block), mark->block[block].label, false);
}

void mark_spread(struct mark *mark)
{
	for (;;) {
		uint64_t ready = mark->readied - mark->scanned;
		uint32_t block = ready < MARK_READY ? next_block(mark) : MARK_FREE;

		if (block != MARK_FREE)
			make_ready(mark, block);
		else if (ready == MARK_READY || (ready && mark->taken == mark->put))
			scan(mark);
		else if (mark->taken != mark->put)
			take(mark);
		else
			return;
	}
}

void mark_narrow(struct mark *mark)
{
	mark->narrowed = true;
	mark->low = mark->high = 0;
	mark->held = 0;
	places_forget(&mark->places);
	for (uint32_t i = 0; i < mark->count; i++) {
		if (mark->block[i].label >= MARK_OUTSIDE) {
			const struct place_region *region = place_region(&mark->places, mark->block[i].start);

			if (!place_is_block(region))
				place_settle(place_page(&mark->places, region, mark->block[i].start), i);
			continue;
		}
		mark->held++;
		matters(mark, i);
		places_use(&mark->places, mark->block[i].start, mark_end(mark, i));
	}
}

bool mark_done(const struct mark *mark)
{
	return mark->narrowed && !mark->held;
}

void mark_finish(struct mark *mark)
{
	places_finish(&mark->places);
	free(mark->block);
	free(mark->stack);
	free(mark->waits);
	memset(mark, 0, sizeof(*mark));
}
