/* SPDX-License-Identifier: Apache-2.0 */
#include "report/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/blocks.h"
#include "ledger/traces.h"
#include "report/origin.h"

struct gathering {
	struct gathered *gathered;
	const struct roots *roots;
	const struct slots *slots;
	uint32_t next_slot, span, room;
	uint8_t *python;       /* [leaves] KIND_... */
	uint32_t leaves;
	bool failed;
};
enum { KIND_UNKNOWN, KIND_NATIVE, KIND_PYTHON };

static bool is_python(struct gathering *gathering, uint32_t leaf)
{
	if (leaf >= gathering->leaves)
		return false;
	if (!gathering->python[leaf])
		gathering->python[leaf] = origin_of(leaf).kind == TRACE_MALLOC ? KIND_NATIVE : KIND_PYTHON;
	return gathering->python[leaf] == KIND_PYTHON;
}

static uint32_t add(struct gathering *gathering, uintptr_t start, size_t size, enum gather_kind kind)
{
	struct gathered *gathered = gathering->gathered;
	uint32_t index = mark_add(&gathered->mark, start, size, kind != GATHER_UNREADABLE);
	if (index != MARK_FREE && index >= gathering->room) {
		uint32_t room = gathered->mark.room;
		void *larger = realloc(gathered->kind, room);
		if (larger)
			gathered->kind = larger, gathering->room = room;
		else
			index = MARK_FREE;
	}
	if (index != MARK_FREE)
		gathered->kind[index] = kind;
	gathering->failed |= index == MARK_FREE;
	return index;
}

static void add_slots(struct gathering *gathering, uintptr_t before)
{
	const struct slots *slots = gathering->slots;
	for (; slots && gathering->next_slot < slots->count && slots->list[gathering->next_slot].start < before;
	     gathering->next_slot++) {
		const struct slot *slot = &slots->list[gathering->next_slot];
		gathering->gathered->slot[gathering->next_slot] = add(
			gathering, slot->start, slot->size, slot->thunk.kind == THUNK_NONE ? GATHER_SLOT : GATHER_CLOSURE);
	}
}

static bool add_block(void *gathering_pointer, uintptr_t address, uint32_t record)
{
	struct gathering *gathering = gathering_pointer;
	add_slots(gathering, address);
	bool python = is_python(gathering, BLOCK_TRACE(record));
	size_t size = origin_block_size(address, python);
	if (!size) /* of a call before the host's malloc was found: that does not know it */
		return true;
	bool readable = roots_readable(gathering->roots, address, address + size, &gathering->span);
	add(gathering, address, size, !readable ? GATHER_UNREADABLE : python ? GATHER_PYTHON : GATHER_NATIVE);
	return !gathering->failed;
}

int gather_blocks(struct gathered *gathered, const struct roots *roots, const struct slots *slots)
{
	struct gathering gathering = {.gathered = gathered, .roots = roots, .slots = slots, .leaves = traces_count()};
	gathering.python = calloc(gathering.leaves + (size_t)1, 1);
	gathered->slots = slots;
	gathered->slot = calloc((slots ? slots->count : 0) + (size_t)1, sizeof *gathered->slot);
	if (!gathering.python || !gathered->slot) {
		free(gathering.python);
		return -ENOMEM;
	}
	blocks_each(add_block, &gathering);
	add_slots(&gathering, UINTPTR_MAX);
	free(gathering.python);
	return gathering.failed ? -ENOMEM : 0;
}

void gather_finish(struct gathered *gathered)
{
	mark_finish(&gathered->mark);
	free(gathered->kind), free(gathered->slot);
	memset(gathered, 0, sizeof *gathered);
}
