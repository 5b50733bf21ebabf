/* SPDX-License-Identifier: Apache-2.0 */
#include "report/kept.h"

#include <errno.h>
#include <stdlib.h>

#include "ledger/blocks.h"
#include "ledger/registrations.h"
#include "native/decode.h"
#include "report/kept_parts.h"
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
	return gathered->mark.block[block].label == MARK_FREE && gathered->kind[block] != GATHER_CLOSURE;
}

/* Python's blocks are not followed: the graph says what keeps them. */
static bool follow_slots(struct gathered *gathered, const struct slots *slots)
{
	struct mark *mark = &gathered->mark;
	for (uint32_t i = 0; i < mark->count; i++)
		mark->block[i].judged = gathered->kind[i] == GATHER_NATIVE || gathered->kind[i] == GATHER_SLOT;
	for (uint32_t i = 0; i < slots->count; i++) {
		const struct slot *slot = &slots->list[i];
		if (slot->thunk.kind == THUNK_NONE)
			mark_hold(mark, gathered->slot[i], i);
		else
			mark_source(mark, slot->start, slot->start + slot->size, i, false);
	}
	mark_spread(mark);
	for (uint32_t i = 0; i < mark->count; i++)
		if (kept_in(gathered, i))
			return true;
	return false;
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

/* The first word of its holder that leads to @block: there is one, and not before that of @previous, another one's. */
static uint64_t offset_of(const struct kept *kept, const struct kept_block *block, const struct kept_block *previous)
{
	bool slot = block->holder == KEPT_SLOT;
	uintptr_t start = slot ? kept->slots.list[block->slot].start : kept->blocks[block->holder].start;
	uintptr_t at = (start + WORD - 1) & ~(WORD - 1);
	if (previous && previous->slot == block->slot && previous->holder == block->holder)
		at = start + previous->offset;
	while (*(const uintptr_t *)at - block->start >= block->size)
		at += WORD;
	return at - start;
}

static void describe(struct kept *kept)
{
	for (uint32_t i = 0; i < kept->listed; i++) {
		struct kept_block *block = &kept->blocks[i];
		block->offset = offset_of(kept, block, i ? block - 1 : NULL);
		block->stack = origin_stack(origin_of(BLOCK_TRACE(blocks_get(block->start))).node);
	}
}

static int look(struct kept *kept, struct gathered *gathered, const struct roots *roots, uint32_t most)
{
	struct mark *mark = &gathered->mark;
	struct kept_graph graph = {0};
	int result = gather_blocks(gathered, roots, &kept->slots);
	if (result == 0)
		result = mark_begin(mark, join, NULL);
	if (result < 0 || !follow_slots(gathered, &kept->slots))
		return result;
	scan_memory(mark, roots, MARK_OUTSIDE, is_outside, gathered);
	mark_spread(mark);
	result = kept_closures(kept, gathered, roots);
	if (result == 0)
		result = kept_graph(&graph, gathered);
	if (result == 0)
		result = kept_readers(kept, &graph);
	if (result == 0)
		result = kept_list(kept, &graph, mark, most);
	if (result == 0)
		result = kept_share(kept, &graph, mark);
	if (result == 0)
		describe(kept);
	kept_graph_finish(&graph);
	return result;
}

const char *kept_find(struct kept *kept, const struct roots *roots, uint32_t most)
{
	static const char no_memory[] = "what native fork handlers hold was not found: out of memory";
	struct gathered gathered = {0};
	*kept = (struct kept){0};
	const char *problem = decode_open(DECODE_OWN);
	if (problem)
		return problem;
	if (slots_find(&kept->slots, roots) < 0)
		return no_memory;
	kept->of_slot = calloc(kept->slots.count + (size_t)1, sizeof *kept->of_slot);
	kept->alone = calloc(registrations_count() + (size_t)1, sizeof *kept->alone);
	int result = !kept->of_slot || !kept->alone ? -ENOMEM : 0;
	if (result == 0 && leads(&kept->slots, roots))
		result = look(kept, &gathered, roots, most);
	gather_finish(&gathered);
	return result < 0 ? no_memory : NULL;
}
