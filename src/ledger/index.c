/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/index.h"

#define FIRST_SLOTS 256u

/* A slot is hash << 32 | id + 1; 0 is free. Nothing is ever removed. */
struct index_slots {
	uint32_t mask;
	uint32_t used;
	uint64_t slot[];
};

uint32_t index_hash(uint32_t seed, const void *data, size_t size)
{
	const unsigned char *byte = data;
	uint64_t state = (seed + UINT64_C(0x9e3779b97f4a7c15)) ^ size;

	for (size_t i = 0; i < size; i++)
		state = (state ^ byte[i]) * UINT64_C(0x100000001b3);
	state ^= state >> 29;
	state *= UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(state >> 32);
}

uint32_t index_find(const struct index *index, uint32_t hash, bool (*same)(const void *key, uint32_t id),
		    const void *key)
{
	const struct index_slots *slots = __atomic_load_n(&index->slots, __ATOMIC_ACQUIRE);

	if (!slots)
		return INDEX_NONE;
	for (uint32_t i = hash & slots->mask;; i = (i + 1) & slots->mask) {
		uint64_t slot = __atomic_load_n(&slots->slot[i], __ATOMIC_ACQUIRE);

		if (!slot)
			return INDEX_NONE;
		if (slot >> 32 == hash && same(key, (uint32_t)slot - 1))
			return (uint32_t)slot - 1;
	}
}

static void put(struct index_slots *slots, uint64_t value)
{
	uint32_t i = (uint32_t)(value >> 32) & slots->mask;

	while (slots->slot[i])
		i = (i + 1) & slots->mask;
	__atomic_store_n(&slots->slot[i], value, __ATOMIC_RELEASE);
	slots->used++;
}

bool index_reserve(struct index *index, struct arena *arena)
{
	struct index_slots *old = index->slots, *grown;
	size_t size = old ? ((size_t)old->mask + 1) * 2 : FIRST_SLOTS;

	/* Two thirds full at most. The old slots stay where they are: a reader may be in them. */
	if (old && (uint64_t)old->used * 3 < ((uint64_t)old->mask + 1) * 2)
		return true;
	grown = arena_alloc(arena, sizeof(*grown) + size * sizeof(grown->slot[0]));
	if (!grown)
		return false;
	grown->mask = (uint32_t)(size - 1);
	for (size_t i = 0; old && i <= old->mask; i++)
		if (old->slot[i])
			put(grown, old->slot[i]);
	__atomic_store_n(&index->slots, grown, __ATOMIC_RELEASE);
	return true;
}

void index_put(struct index *index, uint32_t hash, uint32_t id)
{
	put(index->slots, (uint64_t)hash << 32 | (uint64_t)(id + 1));
}
