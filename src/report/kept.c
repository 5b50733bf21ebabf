/* SPDX-License-Identifier: Apache-2.0 */
#include "report/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/blocks.h"
#include "ledger/stacks.h"
#include "native/decode.h"
#include "report/gather.h"
#include "report/leads.h"
#include "report/origin.h"
#include "report/scan.h"

#define WORD sizeof(uintptr_t)

/* Of several slots that lead to one block the first one has it. */
static uint32_t join(void *unused, uint32_t label, uint32_t other)
{
	(void)unused;
	return label < other ? label : other;
}

static bool is_outside(void *gathered_pointer, uint32_t block)
{
	const struct gathered *gathered = gathered_pointer;
	return gathered->mark.block[block].label == MARK_FREE;
}

static bool is_kept(const struct gathered *gathered, uint32_t block)
{
	return gathered->kind[block] == GATHER_NATIVE && gathered->mark.block[block].label < MARK_OUTSIDE;
}

/* Python's blocks are not followed: the graph says what keeps them. */
static bool follow_slots(struct gathered *gathered, const struct slots *slots)
{
	struct mark *mark = &gathered->mark;
	for (uint32_t i = 0; i < mark->count; i++)
		mark->block[i].judged = gathered->kind[i] == GATHER_NATIVE || gathered->kind[i] == GATHER_SLOT;
	for (uint32_t i = 0; i < slots->count; i++)
		mark_hold(mark, gathered->slot[i], i);
	mark_spread(mark);
	for (uint32_t i = 0; i < mark->count; i++)
		if (is_kept(gathered, i))
			return true;
	return false;
}

/* A walk in breadth, so that each block has a shortest path. */
struct walk {
	struct kept *kept;
	const struct gathered *gathered;
	bool *met;       /* [mark.count] */
};

static void meet(struct walk *walk, uint32_t block, uint32_t slot, uint32_t holder, uint64_t offset)
{
	const struct mark *mark = &walk->gathered->mark;
	struct kept *kept = walk->kept;
	if (walk->met[block])
		return;
	walk->met[block] = true;
	kept->blocks[kept->count++] = (struct kept_block){
		.start = mark->block[block].start, .size = mark_size(mark, block), .slot = slot, .holder = holder,
		.offset = offset,
		.trace = BLOCK_TRACE(blocks_get(mark->block[block].start)), .stack = STACK_NONE};
	kept->of_slot[slot].blocks++;
	kept->of_slot[slot].bytes += mark_size(mark, block);
	kept->bytes += mark_size(mark, block);
}

static void walk_words(struct walk *walk, uintptr_t start, size_t size, uint32_t slot, uint32_t holder)
{
	for (uintptr_t at = (start + WORD - 1) & ~(WORD - 1); at + WORD <= start + size; at += WORD) {
		uint32_t block = mark_find(&walk->gathered->mark, *(const uintptr_t *)at);
		if (block != MARK_FREE && is_kept(walk->gathered, block))
			meet(walk, block, slot, holder, at - start);
	}
}

static int list_blocks(struct kept *kept, const struct gathered *gathered)
{
	struct walk walk = {.kept = kept, .gathered = gathered};
	uint32_t count = 0;
	for (uint32_t i = 0; i < gathered->mark.count; i++)
		count += is_kept(gathered, i);
	kept->blocks = malloc((count + (size_t)1) * sizeof *kept->blocks);
	walk.met = calloc(gathered->mark.count + (size_t)1, 1);
	int result = kept->blocks && walk.met ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < kept->slots.count && result == 0; i++) {
		uint32_t next = kept->count;
		if (gathered->mark.block[gathered->slot[i]].label >= MARK_OUTSIDE)
			continue;
		walk_words(&walk, kept->slots.list[i].start, kept->slots.list[i].size, i, KEPT_SLOT);
		for (; next < kept->count; next++)
			walk_words(&walk, kept->blocks[next].start, kept->blocks[next].size, i, next);
	}
	free(walk.met);
	return result;
}

/* Most handlers work with a lock or two. */
static bool leads(const struct slots *slots, const struct roots *roots)
{
	for (uint32_t i = 0; i < slots->count; i++) {
		uintptr_t end = slots->list[i].start + slots->list[i].size;
		for (uintptr_t at = (slots->list[i].start + WORD - 1) & ~(WORD - 1); at + WORD <= end; at += WORD)
			if (leads_word(roots, *(const uintptr_t *)at))
				return true;
	}
	return false;
}

static int look(struct kept *kept, struct gathered *gathered, const struct roots *roots)
{
	struct mark *mark = &gathered->mark;
	int result = gather_blocks(gathered, roots, &kept->slots);
	if (result == 0)
		result = mark_begin(mark, join, NULL);
	if (result < 0 || !follow_slots(gathered, &kept->slots))
		return result;
	scan_memory(mark, roots, MARK_OUTSIDE, is_outside, gathered);
	mark_spread(mark);
	result = list_blocks(kept, gathered);
	for (uint32_t i = 0; i < kept->slots.count && result == 0; i++)
		if (kept->of_slot[i].blocks)
			kept->of_slot[i].readers = slot_readers(&kept->slots, &kept->slots.list[i], kept->of_slot[i].reader,
								KEPT_READERS);
	return result;
}

const char *kept_find(struct kept *kept, const struct roots *roots)
{
	static const char no_memory[] = "what native fork handlers hold was not found: out of memory";
	struct gathered gathered = {0};
	*kept = (struct kept){0};
	const char *problem = decode_open();
	if (problem)
		return problem;
	if (slots_find(&kept->slots) < 0)
		return no_memory;
	kept->of_slot = calloc(kept->slots.count + (size_t)1, sizeof *kept->of_slot);
	int result = !kept->of_slot ? -ENOMEM : leads(&kept->slots, roots) ? look(kept, &gathered, roots) : 0;
	gather_finish(&gathered);
	return result < 0 ? no_memory : NULL;
}

void kept_name(struct kept *kept, uint32_t count)
{
	for (uint32_t i = 0; i < count && i < kept->count; i++)
		kept->blocks[i].stack = origin_stack(origin_of(kept->blocks[i].trace).node);
}
