/* SPDX-License-Identifier: Apache-2.0 */
/* What hangs off some memory alone: arrays of words stand for blocks, stacks and data. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
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
		if (mark->judged[i] && mark->label[i] == MARK_FREE)
			mark_outside(mark, mark->start[i], mark->start[i] + mark->size[i], false);
	mark_spread(mark);
}

static void finds(void)
{
	struct mark mark;

	begin(&mark, 0);
	for (unsigned i = 0; i < BLOCKS; i++) {
		assert(mark_find(&mark, address(i, 0)) == i);
		assert(mark_find(&mark, address(i, WORDS) - 1) == i);
		assert(mark_find(&mark, address(i, WORDS)) == MARK_FREE);
	}
	assert(mark_find(&mark, address(0, 0) - 1) == MARK_FREE);
	assert(mark_find(&mark, 0) == MARK_FREE && mark_find(&mark, UINTPTR_MAX) == MARK_FREE);
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
	assert(mark.label[0] == 3 && mark.label[1] == 3 && mark.label[2] == 2);
	for (unsigned i = 3; i < BLOCKS; i++)
		assert(mark.label[i] == MARK_FREE);
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
	assert(mark.label[0] == MARK_OUTSIDE && mark.label[1] == MARK_OUTSIDE && mark.label[2] == MARK_OUTSIDE);
	assert(mark.label[4] == 1 && mark.label[7] == MARK_FREE);
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
	assert(mark.label[0] == 1);
	mark_finish(&mark);
	begin(&mark, 0);
	run(&mark, false);
	assert(mark.label[0] == MARK_OUTSIDE);
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
		assert(mark.label[i] == 1);
	mark_finish(&mark);
	free(list);
}

int main(void)
{
	finds();
	reaches();
	leaves_alone();
	knows_the_allocator();
	goes_deep();
	return 0;
}
