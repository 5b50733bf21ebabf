/* SPDX-License-Identifier: Apache-2.0 */
/* What hangs off some memory alone: arrays of words stand for blocks, stacks and data. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "retention/mark.h"

#define BLOCKS 8u
#define WORDS 6u

/* The blocks lie in one array, with room between them. */
static uintptr_t heap[BLOCKS][WORDS + 2];
static uintptr_t source[4], other[4], outside[8];

/* A label is a set of bits; what two hold is on the account of both. */
static uint32_t join(void *context, uint32_t label, uint32_t more)
{
	(void)context;
	return label | more;
}

static uintptr_t address(unsigned block, unsigned word)
{
	return (uintptr_t)&heap[block][word];
}

static void clear(void)
{
	memset(heap, 0, sizeof(heap));
	memset(source, 0, sizeof(source));
	memset(other, 0, sizeof(other));
	memset(outside, 0, sizeof(outside));
}

static void begin(struct mark *mark, unsigned unjudged)
{
	memset(mark, 0, sizeof(*mark));
	for (unsigned i = 0; i < BLOCKS; i++)
		assert(mark_add(mark, address(i, 0), WORDS * sizeof(uintptr_t), i < BLOCKS - unjudged) == i);
	assert(mark_begin(mark, join, NULL) == 0);
}

static void run(struct mark *mark, bool allocator)
{
	mark_source(mark, (uintptr_t)source, (uintptr_t)(source + 4), 1, false);
	mark_source(mark, (uintptr_t)other, (uintptr_t)(other + 4), 2, false);
	mark_spread(mark);
	mark_narrow(mark);
	mark_outside(mark, (uintptr_t)outside, (uintptr_t)(outside + 8), allocator);
	for (uint32_t i = 0; i < mark->count; i++)
		if (mark->block[i].judged && mark->block[i].label == MARK_FREE)
			mark_outside(mark, mark->block[i].start, mark_end(mark, i), false);
	mark_spread(mark);
}

/* Asked for alone and among others: it is the same. */
static uint32_t found(const struct mark *mark, uintptr_t at)
{
	const uintptr_t addresses[] = { at, UINTPTR_MAX, at + 1, 0, at };
	uint32_t blocks[5];

	mark_find_all(mark, addresses, blocks, 5);
	for (unsigned i = 0; i < 5; i++)
		assert(blocks[i] == mark_find(mark, addresses[i]));
	return blocks[4];
}

static void finds(void)
{
	struct mark mark;

	begin(&mark, 0);
	for (unsigned i = 0; i < BLOCKS; i++) {
		assert(found(&mark, address(i, 0)) == i);
		assert(found(&mark, address(i, WORDS) - 1) == i);
		assert(found(&mark, address(i, WORDS)) == MARK_FREE);
	}
	assert(found(&mark, address(0, 0) - 1) == MARK_FREE);
	assert(found(&mark, 0) == MARK_FREE && found(&mark, UINTPTR_MAX) == MARK_FREE);
	mark_finish(&mark);
}

static void reaches(void)
{
	struct mark mark;

	clear();
	source[1] = address(0, 3);              /* into the middle, */
	heap[0][5] = address(1, 0);             /* on to another, */
	heap[1][0] = address(0, 0);             /* and in a circle */
	other[0] = address(2, 0);
	heap[2][0] = address(1, 0);             /* two hold it */
	heap[2][1] = address(3, WORDS);         /* past the end: nothing */
	begin(&mark, 0);
	run(&mark, false);
	assert(mark.block[0].label == 3 && mark.block[1].label == 3 && mark.block[2].label == 2);
	for (unsigned i = 3; i < BLOCKS; i++)
		assert(mark.block[i].label == MARK_FREE);
	mark_finish(&mark);
}

static void leaves_alone(void)
{
	struct mark mark;

	clear();
	source[0] = address(0, 0);
	source[1] = address(2, 0);
	source[2] = address(4, 0);
	heap[0][0] = address(1, 0);
	outside[7] = address(0, 2);             /* from outside: and so is what it leads to */
	heap[3][0] = address(2, 0);             /* from a block that nobody seems to hold */
	heap[4][2] = address(7, 0);             /* a source leads to what is outside anyway */
	begin(&mark, 1);
	run(&mark, false);
	for (unsigned i = 0; i < 3; i++)
		assert(mark.block[i].label == MARK_OUTSIDE);
	assert(mark.block[4].label == 1 && mark.block[7].label == MARK_FREE);
	mark_finish(&mark);
}

static void knows_the_allocator(void)
{
	struct mark mark;

	clear();
	source[0] = address(0, 0);
	outside[0] = address(0, WORDS - 1);
	begin(&mark, 0);
	run(&mark, true);
	assert(mark.block[0].label == 1);
	mark_finish(&mark);
	begin(&mark, 0);
	run(&mark, false);
	assert(mark.block[0].label == MARK_OUTSIDE);
	mark_finish(&mark);
}

/* A list of a million blocks, the last of which leads to the first: no stack to overflow, and linear. */
static void goes_deep(void)
{
	enum { LENGTH = 1000000 };
	uintptr_t (*list)[2] = malloc(sizeof(*list) * LENGTH);
	struct mark mark = { 0 };

	assert(list);
	for (unsigned i = 0; i < LENGTH; i++) {
		list[i][0] = (uintptr_t)list[(i + 1) % LENGTH];
		list[i][1] = i;
		assert(mark_add(&mark, (uintptr_t)list[i], sizeof(*list), true) == i);
	}
	assert(mark_begin(&mark, join, NULL) == 0);
	clear();
	source[0] = (uintptr_t)list[LENGTH / 2];
	outside[0] = 0;
	run(&mark, false);
	for (unsigned i = 0; i < LENGTH; i++)
		assert(mark.block[i].label == 1);
	mark_finish(&mark);
	free(list);
}

/* Blocks closer than 16 bytes, at odd addresses, of no bytes or many pages, and what lies between them. */
static void finds_any(void)
{
	enum { PAGES = 16 };
	static const struct { uint32_t start, size; } blocks[] = {
		{ 0, 8 }, { 8, 8 }, { 16, 1 }, { 19, 3 }, { 24, 8 }, { 48, 4000 }, { 4096, 24 }, { 4120, 8 }, { 4128, 8 },
		{ 4144, 3 * 4096 }, { 5 * 4096, 4096 }, { 6 * 4096, 2 * 4096 + 1 }, { 9 * 4096 - 1, 2 },
		{ 12 * 4096 + 17, 4096 },
		{ 14 * 4096, 0 }, { 15 * 4096 - 8, 8 }, { 16 * 4096 - 8, 8 },
	};
	const uint32_t count = sizeof(blocks) / sizeof(blocks[0]);
	uintptr_t start = ((uintptr_t)1 << 30) + 5 * ((uintptr_t)1 << 26) - 8 * 4096;  /* over the end of a region */
	struct mark mark = { 0 };

	for (uint32_t i = 0; i < count; i++)
		assert(mark_add(&mark, start + blocks[i].start, blocks[i].size, true) == i);
	assert(mark_begin(&mark, join, NULL) == 0);
	for (uint32_t at = 0; at < PAGES * 4096; at++) {
		uint32_t expected = MARK_FREE;

		for (uint32_t i = 0; i < count; i++)
			if (at - blocks[i].start < blocks[i].size)
				expected = i;
		assert(found(&mark, start + at) == expected);
	}
	assert(found(&mark, start - 1) == MARK_FREE && found(&mark, start + PAGES * 4096) == MARK_FREE);
	mark_finish(&mark);
}

/* Of blocks as large as address spaces can be, what is known takes no memory to speak of. */
static void finds_in_large(void)
{
	const uintptr_t start = ((uintptr_t)7 << 40) + 12345 * 16, size = (uintptr_t)9 << 40, end = start + size;
	struct mark mark = { 0 };

	assert(mark_add(&mark, start - 64, 64, true) == 0);
	assert(mark_add(&mark, start, size, true) == 1);
	assert(mark_add(&mark, end + 8, 8, true) == 2);
	assert(mark_add(&mark, (uintptr_t)1 << 47, 8, true) == MARK_FREE);
	assert(mark_add(&mark, ((uintptr_t)1 << 47) - 8, 16, true) == MARK_FREE);
	assert(mark_begin(&mark, join, NULL) == 0);
	assert(mark_size(&mark, 1) == size && mark_end(&mark, 1) == end);
	for (uintptr_t at = 0; at < size; at += ((uintptr_t)1 << 35) + 12344)
		assert(found(&mark, start + at) == 1);
	assert(found(&mark, start) == 1 && found(&mark, start - 1) == 0 && found(&mark, end - 1) == 1);
	assert(found(&mark, end) == MARK_FREE && found(&mark, end + 16) == MARK_FREE);
	assert(found(&mark, end + 8) == 2);
	mark_resize(&mark, 1, size - 8);
	assert(found(&mark, end - 8) == MARK_FREE && found(&mark, end - 9) == 1);
	mark_finish(&mark);
}

/* A block of whole regions, in memory that nobody has written to but for its ends. */
static void reads_large(void)
{
	const size_t size = (size_t)160 << 20;
	uintptr_t *large = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	bool below = address(0, 0) < (uintptr_t)large;
	struct mark mark = { 0 };
	uint32_t label;

	assert(large != MAP_FAILED);
	clear();
	source[0] = (uintptr_t)large + size / 2 + 1;
	for (unsigned last = 0; last < 2; last++) {
		large[0] = address(0, 0);
		large[size / sizeof(*large) - 1] = address(1, 0);
		outside[0] = last ? (uintptr_t)large + size / 3 : 0;
		/* The blocks of the array lie below or above it. */
		memset(&mark, 0, sizeof(mark));
		for (unsigned i = 0; i < BLOCKS && below; i++)
			assert(mark_add(&mark, address(i, 0), WORDS * sizeof(uintptr_t), true) == i);
		label = mark_add(&mark, (uintptr_t)large, size, true);
		for (unsigned i = 0; i < BLOCKS && !below; i++)
			assert(mark_add(&mark, address(i, 0), WORDS * sizeof(uintptr_t), true) == i + 1);
		assert(mark_begin(&mark, join, NULL) == 0);
		run(&mark, false);
		for (unsigned i = 0; i < BLOCKS; i++)
			assert(mark.block[found(&mark, address(i, 0))].label == (i > 1 ? MARK_FREE : last ? MARK_OUTSIDE : 1));
		assert(mark.block[label].label == (last ? MARK_OUTSIDE : 1) && mark_done(&mark) == last);
		mark_finish(&mark);
	}
	munmap(large, size);
}

/* No block at all. */
static void nothing(void)
{
	struct mark mark = { 0 };

	clear();
	outside[0] = source[0] = address(0, 0);
	outside[1] = source[1] = UINTPTR_MAX;
	assert(mark_begin(&mark, join, NULL) == 0);
	run(&mark, false);
	assert(found(&mark, address(0, 0)) == MARK_FREE && mark_done(&mark));
	mark_finish(&mark);
	mark_finish(&mark);
	/* The same if there are some that nobody asks about. */
	begin(&mark, BLOCKS);
	run(&mark, false);
	assert(mark.block[0].label == MARK_FREE && mark_done(&mark));
	mark_finish(&mark);
}

int main(void)
{
	finds();
	finds_any();
	finds_in_large();
	reads_large();
	nothing();
	reaches();
	leaves_alone();
	knows_the_allocator();
	goes_deep();
	return 0;
}
