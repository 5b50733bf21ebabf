/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/mark.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD sizeof(uintptr_t)
#define ADDRESS_BITS 47u
#define PAGE_SHIFT 12u
#define REGION_SHIFT 30u
#define REGIONS ((size_t)1 << (ADDRESS_BITS - REGION_SHIFT))
#define REGION_PAGES ((size_t)1 << (REGION_SHIFT - PAGE_SHIFT))

static bool enlarge(void *array, size_t count, size_t size)
{
	void *larger = realloc(*(void **)array, count * size);

	if (larger)
		*(void **)array = larger;
	return larger;
}

uint32_t mark_add(struct mark *mark, uintptr_t start, size_t size, bool judged)
{
	if (start >> ADDRESS_BITS)
		return MARK_FREE;
	if (mark->count == mark->room) {
		uint32_t room = mark->room ? 2 * mark->room : 4096;

		if (room <= mark->room || !enlarge(&mark->start, room, sizeof(*mark->start)) ||
		    !enlarge(&mark->size, room, sizeof(*mark->size)) ||
		    !enlarge(&mark->judged, room, sizeof(*mark->judged)))
			return MARK_FREE;
		mark->room = room;
	}
	mark->start[mark->count] = start;
	mark->size[mark->count] = size;
	mark->judged[mark->count] = judged;
	return mark->count++;
}

/* Pages between two blocks lead to the upper one: whoever asks goes one block back from there. */
static int make_index(struct mark *mark)
{
	mark->regions = calloc(REGIONS, sizeof(*mark->regions));
	if (!mark->regions)
		return -ENOMEM;
	for (uint32_t i = 0; i < mark->count; i++) {
		uintptr_t first = mark->start[i], last = first + (mark->size[i] ? mark->size[i] - 1 : 0);

		for (uintptr_t page = first >> PAGE_SHIFT; page <= last >> PAGE_SHIFT; page++) {
			uint32_t **region = &mark->regions[page >> (REGION_SHIFT - PAGE_SHIFT)];

			if (!*region && !(*region = calloc(REGION_PAGES, sizeof(**region))))
				return -ENOMEM;
			/* Index + 1; the first block that has a byte in the page stays. */
			if (!(*region)[page & (REGION_PAGES - 1)])
				(*region)[page & (REGION_PAGES - 1)] = i + 1;
		}
	}
	return 0;
}

int mark_begin(struct mark *mark, uint32_t (*join)(void *context, uint32_t label, uint32_t other), void *context)
{
	mark->join = join;
	mark->context = context;
	mark->label = malloc((mark->count + (size_t)1) * sizeof(*mark->label));
	mark->stack = malloc((mark->count + (size_t)1) * sizeof(*mark->stack));
	mark->stacked = calloc(mark->count + (size_t)1, sizeof(*mark->stacked));
	if (!mark->label || !mark->stack || !mark->stacked)
		return -ENOMEM;
	memset(mark->label, 0xff, mark->count * sizeof(*mark->label));
	mark->low = UINTPTR_MAX;
	for (uint32_t i = 0; i < mark->count; i++) {
		if (!mark->judged[i])
			continue;
		if (mark->low == UINTPTR_MAX)
			mark->low = mark->start[i];
		mark->high = mark->start[i] + mark->size[i];
	}
	return make_index(mark);
}

uint32_t mark_find(const struct mark *mark, uintptr_t address)
{
	const uint32_t *region = address >> ADDRESS_BITS ? NULL : mark->regions[address >> REGION_SHIFT];
	uint32_t low = region ? region[address >> PAGE_SHIFT & (REGION_PAGES - 1)] : 0, high, bound;

	if (!low-- || address < mark->start[low])
		return MARK_FREE;
	/* The last that begins at @address or before it, among those of this page: at most one for each 16 bytes. */
	bound = low + (1u << PAGE_SHIFT) / 16 + 1;
	high = bound < mark->count ? bound : mark->count;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (mark->start[middle] <= address)
			low = middle;
		else
			high = middle;
	}
	return address - mark->start[low] < mark->size[low] ? low : MARK_FREE;
}

void mark_hold(struct mark *mark, uint32_t block, uint32_t label)
{
	uint32_t before = mark->label[block];

	if (before == label || before == MARK_OUTSIDE)
		return;
	if (before != MARK_FREE && label != MARK_OUTSIDE)
		label = mark->join(mark->context, before, label);
	if (label == before)
		return;
	mark->label[block] = label;
	if (!mark->stacked[block]) {
		__builtin_prefetch((const void *)mark->start[block]);
		mark->stacked[block] = true;
		mark->stack[mark->depth++] = block;
	}
}

static uintptr_t first_word(uintptr_t start)
{
	return (start + WORD - 1) & ~(uintptr_t)(WORD - 1);
}

/* The block that @word leads to, or MARK_FREE. */
static inline uint32_t lead(const struct mark *mark, uintptr_t word, bool allocator)
{
	uint32_t block = mark_find(mark, word);

	return block != MARK_FREE && allocator && word == mark->start[block] + mark->size[block] - WORD ? MARK_FREE : block;
}

static inline bool in_range(const struct mark *mark, uintptr_t word)
{
	return word - mark->low < mark->high - mark->low;
}

static void take(struct mark *mark)
{
	unsigned at = (unsigned)(mark->taken++ % MARK_QUEUE);
	uint32_t block = lead(mark, mark->queue[at].word, mark->queue[at].allocator);

	if (block != MARK_FREE && mark->judged[block])
		mark_hold(mark, block, mark->queue[at].label);
}

/* A block is anywhere in memory, and so is what is known of it: both are asked for some time before they are used. */
static inline void put(struct mark *mark, uintptr_t word, uint32_t label, bool allocator)
{
	const uint32_t *region = word >> ADDRESS_BITS ? NULL : mark->regions[word >> REGION_SHIFT];
	unsigned at = (unsigned)(mark->put % MARK_QUEUE);

	if (!region)
		return;
	if (mark->put - mark->taken == MARK_QUEUE)
		take(mark);
	mark->queue[at].word = word;
	mark->queue[at].label = label;
	mark->queue[at].allocator = allocator;
	__builtin_prefetch(&region[word >> PAGE_SHIFT & (REGION_PAGES - 1)]);
	if (mark->put++ - mark->taken >= MARK_QUEUE / 2) {
		word = mark->queue[(mark->put + MARK_QUEUE / 2 - 1) % MARK_QUEUE].word;
		at = mark->regions[word >> REGION_SHIFT][word >> PAGE_SHIFT & (REGION_PAGES - 1)];
		if (at)
			__builtin_prefetch(&mark->start[at - 1]), __builtin_prefetch(&mark->size[at - 1]);
	}
}

void mark_source(struct mark *mark, uintptr_t start, uintptr_t end, uint32_t label, bool allocator)
{
	for (uintptr_t at = first_word(start); at + WORD <= end; at += WORD) {
		uintptr_t word = *(const uintptr_t *)at;

		if (in_range(mark, word))
			put(mark, word, label, allocator);
	}
}

void mark_spread(struct mark *mark)
{
	while (mark->depth || mark->taken != mark->put) {
		if (!mark->depth) {
			take(mark);
			continue;
		}
		uint32_t block = mark->stack[--mark->depth];

		mark->stacked[block] = false;
		mark_source(mark, mark->start[block], mark->start[block] + mark->size[block], mark->label[block], false);
	}
}

void mark_narrow(struct mark *mark)
{
	mark->low = UINTPTR_MAX;
	mark->high = 0;
	for (uint32_t i = 0; i < mark->count; i++) {
		if (mark->label[i] == MARK_FREE)
			continue;
		if (mark->low == UINTPTR_MAX)
			mark->low = mark->start[i];
		mark->high = mark->start[i] + mark->size[i];
	}
}

void mark_outside(struct mark *mark, uintptr_t start, uintptr_t end, bool allocator)
{
	for (uintptr_t at = first_word(start); at + WORD <= end; at += WORD) {
		uintptr_t word = *(const uintptr_t *)at;
		uint32_t block = in_range(mark, word) ? lead(mark, word, allocator) : MARK_FREE;

		if (block != MARK_FREE && mark->label[block] < MARK_OUTSIDE)
			mark_hold(mark, block, MARK_OUTSIDE);
	}
}

void mark_finish(struct mark *mark)
{
	for (size_t i = 0; mark->regions && i < REGIONS; i++)
		free(mark->regions[i]);
	free(mark->regions);
	free(mark->start);
	free(mark->size);
	free(mark->judged);
	free(mark->label);
	free(mark->stack);
	free(mark->stacked);
	memset(mark, 0, sizeof(*mark));
}
