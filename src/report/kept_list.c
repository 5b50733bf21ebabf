/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/blocks.h"
#include "ledger/stacks.h"
#include "report/kept_parts.h"

#define WORD sizeof(uintptr_t)

static uint32_t closure_of(const struct gathered *gathered, uintptr_t code)
{
	const struct slots *slots = gathered->slots;
	for (uint32_t i = 0; i < slots->count && slots->closures; i++)
		if (slots->list[i].thunk.kind == THUNK_CLOSURE && slots->list[i].thunk.code == code)
			return gathered->slot[i];
	return MARK_FREE;
}

static bool passes(const struct gathered *gathered, uint32_t block)
{
	return block != MARK_FREE && (kept_in(gathered, block) || gathered->kind[block] == GATHER_SLOT ||
				      gathered->kind[block] == GATHER_CLOSURE);
}

uint32_t kept_next(const struct gathered *gathered, uint32_t block, uintptr_t *at)
{
	const struct mark *mark = &gathered->mark;
	uintptr_t end = mark_end(mark, block);
	/* Most words are no pointers: only between these lies what slots alone lead to, and the slots. */
	uintptr_t low = gathered->slots->closures ? 0 : mark->low;
	uintptr_t width = gathered->slots->closures ? UINTPTR_MAX : mark->high - mark->low;
	if (!*at)
		*at = (mark->block[block].start + WORD - 1) & ~(WORD - 1);
	for (; *at + WORD <= end; *at += WORD) {
		uintptr_t word = *(const uintptr_t *)*at;
		if (word - low >= width)
			continue;
		uint32_t next = mark_find(mark, word);
		if (next == MARK_FREE)
			next = closure_of(gathered, word);
		if (!passes(gathered, next))
			continue;
		*at += WORD;
		return next;
	}
	return MARK_FREE;
}

static uint32_t slot_of(const struct kept *kept, const struct gathered *gathered, uint32_t block)
{
	uint32_t low = 0, high = kept->slots.count;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (gathered->slot[middle] <= block)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Who reads a slot comes to what it leads to, other slots too. */
static void pass_readers(struct kept *kept, const struct gathered *gathered, uint32_t slot, bool *met, uint32_t *queue)
{
	uint32_t count = 0, met_block;
	queue[count++] = gathered->slot[slot];
	met[queue[0]] = true;
	for (uint32_t next = 0; next < count; next++) {
		kept_expect(&gathered->mark, queue, next, count);
		for (uintptr_t at = 0; (met_block = kept_next(gathered, queue[next], &at)) != MARK_FREE;) {
			if (met[met_block])
				continue;
			met[met_block] = true;
			queue[count++] = met_block;
			if (kept_in(gathered, met_block))
				continue;
			struct kept_slot *other = &kept->of_slot[slot_of(kept, gathered, met_block)];
			if (other->readers)
				continue;
			other->readers = kept->of_slot[slot].readers;
			memcpy(other->reader, kept->of_slot[slot].reader, sizeof other->reader);
		}
	}
}

int kept_readers(struct kept *kept, const struct gathered *gathered)
{
	bool *met = calloc(gathered->mark.count + (size_t)1, 1);
	uint32_t *queue = malloc((gathered->mark.count + (size_t)1) * sizeof *queue);
	int result = met && queue ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < kept->slots.count && result == 0; i++) {
		uintptr_t at = 0;
		if (kept->slots.list[i].thunk.kind == THUNK_NONE &&
		    kept_next(gathered, gathered->slot[i], &at) != MARK_FREE)
			kept->of_slot[i].readers = slot_readers(&kept->slots, &kept->slots.list[i], kept->of_slot[i].reader,
								KEPT_READERS);
	}
	for (uint32_t i = 0; i < kept->slots.count && result == 0; i++)
		if (kept->of_slot[i].readers && !met[gathered->slot[i]])
			pass_readers(kept, gathered, i, met, queue);
	free(met);
	free(queue);
	return result;
}

/* A walk in breadth, so that each block has a shortest path. */
struct walk {
	struct kept *kept;
	const struct gathered *gathered;
	bool *met;         /* [mark.count] */
	uint32_t *block;   /* [blocks] index in the mark */
};

static void walk_words(struct walk *walk, uint32_t from, uint32_t slot, uint32_t holder)
{
	const struct mark *mark = &walk->gathered->mark;
	struct kept *kept = walk->kept;
	uint32_t block;
	for (uintptr_t at = 0; (block = kept_next(walk->gathered, from, &at)) != MARK_FREE;) {
		if (walk->met[block] || !kept_in(walk->gathered, block))
			continue;
		walk->met[block] = true;
		walk->block[kept->count] = block;
		kept->blocks[kept->count++] = (struct kept_block){
			.start = mark->block[block].start, .size = mark_size(mark, block), .slot = slot, .holder = holder,
			.offset = at - WORD - mark->block[from].start, .trace = BLOCK_TRACE(blocks_get(mark->block[block].start)),
			.stack = STACK_NONE};
		kept->of_slot[slot].blocks++;
		kept->of_slot[slot].bytes += mark_size(mark, block);
		kept->bytes += mark_size(mark, block);
	}
}

int kept_list(struct kept *kept, const struct gathered *gathered)
{
	struct walk walk = {.kept = kept, .gathered = gathered};
	uint32_t count = 0;
	for (uint32_t i = 0; i < gathered->mark.count; i++)
		count += kept_in(gathered, i);
	kept->blocks = malloc((count + (size_t)1) * sizeof *kept->blocks);
	walk.met = calloc(gathered->mark.count + (size_t)1, 1);
	walk.block = malloc((count + (size_t)1) * sizeof *walk.block);
	int result = kept->blocks && walk.met && walk.block ? 0 : -ENOMEM;
	/* What others come to as well is theirs first: nobody may say that handlers alone keep it. */
	for (uint32_t i = 0; i < 2 * kept->slots.count && result == 0; i++) {
		uint32_t slot = i % kept->slots.count, next = kept->count;
		bool others = i < kept->slots.count;
		if (gathered->mark.block[gathered->slot[slot]].label >= MARK_OUTSIDE || !kept->of_slot[slot].readers == others)
			continue;
		walk_words(&walk, gathered->slot[slot], slot, KEPT_SLOT);
		for (; next < kept->count; next++) {
			kept_expect(&gathered->mark, walk.block, next, kept->count);
			walk_words(&walk, walk.block[next], slot, next);
		}
	}
	free(walk.met);
	free(walk.block);
	return result;
}
