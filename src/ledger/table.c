/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/table.h"

/* place - chunk number of @id and its position there: chunk k starts at id TABLE_FIRST * (2^k - 1). */
static unsigned place(uint32_t id, uint32_t *position)
{
	uint64_t block = (uint64_t)id / TABLE_FIRST + 1;
	unsigned chunk = 63u - (unsigned)__builtin_clzll(block);

	*position = (uint32_t)(id - TABLE_FIRST * ((UINT64_C(1) << chunk) - 1));
	return chunk;
}

void *table_next(struct table *table, struct arena *arena)
{
	uint32_t position;
	unsigned chunk = place(table->count, &position);
	char *room;

	/* Ids stop short of the last chunk's end, where the values that mean "none" lie. */
	if (chunk >= TABLE_CHUNKS - 1)
		return NULL;
	if (!table->chunk[chunk]) {
		room = arena_alloc(arena, table->item * ((size_t)TABLE_FIRST << chunk));
		if (!room)
			return NULL;
		__atomic_store_n(&table->chunk[chunk], room, __ATOMIC_RELEASE);
	}
	return table->chunk[chunk] + (size_t)position * table->item;
}

uint32_t table_publish(struct table *table)
{
	uint32_t id = table->count;

	__atomic_store_n(&table->count, id + 1, __ATOMIC_RELEASE);
	return id;
}

uint32_t table_count(const struct table *table)
{
	return __atomic_load_n(&table->count, __ATOMIC_ACQUIRE);
}

void *table_get(const struct table *table, uint32_t id)
{
	uint32_t position;
	unsigned chunk = place(id, &position);

	return __atomic_load_n(&table->chunk[chunk], __ATOMIC_ACQUIRE) + (size_t)position * table->item;
}
