/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/stacks.h"
#include <string.h>
#include "ledger/index.h"
#include "ledger/internal.h"
#include "ledger/table.h"

struct stack {
	const uint32_t *frames;
	unsigned count;
};

static struct table frames = TABLE(struct frame);
static struct table stacks = TABLE(struct stack);
static struct index frames_by_content, stacks_by_content;

/* Field by field: a struct frame has padding, and its texts are equal when their pointers are. */
static uint32_t frame_hash(const struct frame *frame)
{
	uint64_t words[] = {
		frame->python, (uint64_t)(int64_t)frame->line, (uintptr_t)frame->function, (uintptr_t)frame->file,
		frame->module, frame->offset,
	};

	return index_hash(1, words, sizeof(words));
}

static bool same_frame(const void *key, uint32_t id)
{
	const struct frame *wanted = key, *known = table_get(&frames, id);

	return wanted->python == known->python && wanted->line == known->line && wanted->function == known->function &&
	       wanted->file == known->file && wanted->module == known->module && wanted->offset == known->offset;
}

static bool same_stack(const void *key, uint32_t id)
{
	const struct stack *wanted = key, *known = table_get(&stacks, id);

	return wanted->count == known->count &&
	       memcmp(wanted->frames, known->frames, known->count * sizeof(known->frames[0])) == 0;
}

/* intern_frame - under the lock. */
static uint32_t intern_frame(const struct frame *frame)
{
	uint32_t hash = frame_hash(frame);
	uint32_t id = index_find(&frames_by_content, hash, same_frame, frame);
	struct frame *room;

	if (id != INDEX_NONE)
		return id;
	room = table_next(&frames, &ledger_arena);
	if (!room || !index_reserve(&frames_by_content, &ledger_arena))
		return INDEX_NONE;
	*room = *frame;
	id = table_publish(&frames);
	index_put(&frames_by_content, hash, id);
	return id;
}

/* intern_stack - under the lock. */
static uint32_t intern_stack(const uint32_t *ids, unsigned count)
{
	struct stack wanted = { ids, count }, *room;
	uint32_t hash = index_hash(2, ids, count * sizeof(ids[0]));
	uint32_t id = index_find(&stacks_by_content, hash, same_stack, &wanted);
	uint32_t *copy;

	if (id != INDEX_NONE)
		return id;
	room = table_next(&stacks, &ledger_arena);
	if (!room || !index_reserve(&stacks_by_content, &ledger_arena))
		return STACK_NONE;
	copy = arena_alloc(&ledger_arena, count * sizeof(copy[0]));
	if (!copy)
		return STACK_NONE;
	memcpy(copy, ids, count * sizeof(copy[0]));
	*room = (struct stack){ copy, count };
	id = table_publish(&stacks);
	index_put(&stacks_by_content, hash, id);
	return id;
}

uint32_t stacks_intern(const struct frame *list, unsigned count)
{
	uint32_t ids[STACK_MAX_FRAMES], id = STACK_NONE;
	unsigned i;

	if (count > STACK_MAX_FRAMES)
		count = STACK_MAX_FRAMES;
	if (count == 0 || !lock_take(&ledger_lock))
		return STACK_NONE;
	for (i = 0; i < count; i++) {
		ids[i] = intern_frame(&list[i]);
		if (ids[i] == INDEX_NONE)
			break;
	}
	if (i == count)
		id = intern_stack(ids, count);
	lock_release(&ledger_lock);
	return id;
}

const uint32_t *stacks_get(uint32_t id, unsigned *count)
{
	const struct stack *stack = table_get(&stacks, id);

	*count = stack->count;
	return stack->frames;
}

uint32_t stacks_count(void)
{
	return table_count(&stacks);
}

const struct frame *frames_get(uint32_t id)
{
	return table_get(&frames, id);
}

void frames_name(uint32_t id, const char *function)
{
	((struct frame *)table_get(&frames, id))->function = function;
}

uint32_t frames_count(void)
{
	return table_count(&frames);
}
