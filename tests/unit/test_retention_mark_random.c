/* SPDX-License-Identifier: Apache-2.0 */
/* The mark against the plainest way to do it, on random memory: each word is compared with each block, until nothing
 * changes any more. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "retention/mark.h"

#define ROUNDS 1000u
#define WORDS 4096u               /* of memory in which the blocks lie: eight pages */
#define MOST 1024u
#define SOURCES 3u
#define SOURCE_WORDS 40u
#define OUTSIDE_WORDS 4u
#define WHOLE ((1u << SOURCES) - 1)

static _Alignas(4096) uintptr_t memory[WORDS];
static uintptr_t source[SOURCES][SOURCE_WORDS], outside[2][OUTSIDE_WORDS];
static struct plain { uintptr_t start; size_t size; bool judged; uint32_t label; } blocks[MOST];
static uint32_t count;
static bool whole_is_outside, one_label, changed;
static uint64_t state = 88172645463325252;

static uint32_t chance(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16) % below;
}

/* A label is a set of bits, of which all together may be as much as outside. */
static uint32_t join(void *context, uint32_t label, uint32_t other)
{
	(void)context;
	return whole_is_outside && (label | other) == WHOLE ? MARK_OUTSIDE : label | other;
}

static uint32_t label_of(unsigned i)
{
	return one_label ? 1 : 1u << i;
}

/* Round by round: how closely blocks lie, on what boundaries, how large they are, how many are judged. */
static void lay_out(void)
{
	static const unsigned boundaries[] = { 16, 8, 16, 1 }, most[] = { 64, 400, 24, 9000 };
	unsigned boundary = boundaries[chance(4)], largest = most[chance(4)], gap = chance(2) ? 24 : 2000;
	size_t at = 0;

	for (count = 0; count < MOST; count++) {
		size_t size = 1 + chance(largest);

		at += chance(3) ? 8 : chance(gap);
		at = (at + boundary - 1) / boundary * boundary;
		if (at + size > sizeof(memory))
			break;
		blocks[count] = (struct plain){ (uintptr_t)memory + at, size, chance(8) > 0, MARK_FREE };
		at += size;
	}
}

/* Anywhere, but more often where something is: begin, middle, last word, end. */
static uintptr_t pointer(void)
{
	const struct plain *block = count ? &blocks[chance(count)] : NULL;

	switch (block ? chance(6) : 0) {
	case 0: return (uintptr_t)memory + chance(sizeof(memory));
	case 1: return block->start + chance((uint32_t)block->size);
	case 2: return block->start + block->size;
	case 3: return block->start + block->size - sizeof(uintptr_t);
	default: return block->start;
	}
}

static void fill(uintptr_t *words, size_t length, unsigned sparse)
{
	for (size_t i = 0; i < length; i++)
		words[i] = !chance(sparse) ? pointer() : chance(2) ? chance(1000) - UINT64_C(1) : state << chance(30);
}

static void model_hold(uintptr_t word, uint32_t label, bool allocator, bool only_labelled)
{
	for (uint32_t i = 0; i < count; i++) {
		struct plain *block = &blocks[i];
		uint32_t before = block->label;

		if (word - block->start >= block->size || !block->judged || before == MARK_OUTSIDE ||
		    (only_labelled && before == MARK_FREE) ||
		    (allocator && word == block->start + block->size - sizeof(uintptr_t)))
			continue;
		block->label = before == MARK_FREE || label == MARK_OUTSIDE ? label : join(NULL, before, label);
		changed |= block->label != before;
	}
}

static void model_words(uintptr_t start, size_t size, uint32_t label, bool allocator, bool only_labelled)
{
	for (uintptr_t at = (start + 7) & ~(uintptr_t)7; at + 8 <= start + size; at += 8)
		model_hold(*(uintptr_t *)at, label, allocator, only_labelled);
}

static void model_spread(void)
{
	do {
		changed = false;
		for (uint32_t i = 0; i < count; i++)
			if (blocks[i].label != MARK_FREE)
				model_words(blocks[i].start, blocks[i].size, blocks[i].label, false, false);
	} while (changed);
}

static void model(uint32_t held)
{
	for (unsigned i = 0; i < SOURCES; i++)
		model_words((uintptr_t)source[i], sizeof(source[i]), label_of(i), i == 0, false);
	if (held != MARK_FREE && blocks[held].judged)
		blocks[held].label = blocks[held].label == MARK_FREE ? 1 : join(NULL, blocks[held].label, 1);
	model_spread();
	for (unsigned i = 0; i < 2; i++)
		model_words((uintptr_t)outside[i], sizeof(outside[i]), MARK_OUTSIDE, i == 0, true);
	for (uint32_t i = 0; i < count; i++)
		if (blocks[i].label == MARK_FREE)
			model_words(blocks[i].start, blocks[i].size, MARK_OUTSIDE, false, true);
	model_spread();
}

static void run(struct mark *mark, uint32_t held)
{
	for (uint32_t i = 0; i < count; i++)
		assert(mark_add(mark, blocks[i].start, blocks[i].size, chance(2) || blocks[i].judged) == i);
	assert(mark_begin(mark, one_label ? NULL : join, NULL) == 0);
	for (uint32_t i = 0; i < count; i++)
		mark->block[i].judged = blocks[i].judged;
	for (unsigned i = 0; i < SOURCES; i++)
		mark_source(mark, (uintptr_t)source[i], (uintptr_t)(source[i] + SOURCE_WORDS), label_of(i), i == 0);
	if (held != MARK_FREE && mark->block[held].judged)
		mark_hold(mark, held, 1);
	mark_spread(mark);
	mark_outside(mark, (uintptr_t)outside[0], (uintptr_t)(outside[0] + OUTSIDE_WORDS), true);
	mark_narrow(mark);
	mark_outside(mark, (uintptr_t)outside[1], (uintptr_t)(outside[1] + OUTSIDE_WORDS), false);
	for (uint32_t i = 0; i < count; i++)
		if (mark->block[i].label == MARK_FREE)
			mark_outside(mark, blocks[i].start, blocks[i].start + blocks[i].size, false);
	mark_spread(mark);
}

static void compare(const struct mark *mark)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t label = mark->block[i].label;

		/* What only blocks outside lead to may have no label, or that one. */
		assert(label == blocks[i].label || (label >= MARK_OUTSIDE && blocks[i].label >= MARK_OUTSIDE));
		left += label < MARK_OUTSIDE;
	}
	assert(mark_done(mark) == !left);
	for (unsigned i = 0; i < 200; i++) {
		uintptr_t address = pointer();
		uint32_t expected = MARK_FREE;

		for (uint32_t j = 0; j < count; j++)
			if (address - blocks[j].start < blocks[j].size)
				expected = j;
		assert(mark_find(mark, address) == expected);
	}
}

int main(void)
{
	uint64_t labelled = 0, free_ones = 0, taken_back = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct mark mark = { 0 };
		unsigned sparse = 2 + chance(60);
		uint32_t held;

		lay_out();
		whole_is_outside = chance(3) == 0;
		one_label = chance(4) == 0;
		fill(memory, WORDS, sparse);
		fill(source[0], SOURCES * SOURCE_WORDS, 1 + chance(4));
		fill(outside[0], 2 * OUTSIDE_WORDS, 1 + chance(20));
		held = count && chance(2) ? chance(count) : MARK_FREE;
		run(&mark, held);
		model(held);
		compare(&mark);
		for (uint32_t i = 0; i < count; i++)
			++*(blocks[i].label < MARK_OUTSIDE ? &labelled :
			    blocks[i].label == MARK_FREE ? &free_ones : &taken_back);
		mark_finish(&mark);
	}

	/* The rounds were worth something. */
	assert(labelled > 10 * ROUNDS && free_ones > 10 * ROUNDS && taken_back > 10 * ROUNDS);
	return 0;
}
