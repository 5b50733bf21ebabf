/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.h - from content to id: a hash set of ids over items that somebody else keeps. One writer at a time; consistent
 * at every instant (a slot is one 64-bit store, growth swaps one pointer), so it survives being copied mid-insert.
 */
#ifndef LEDGER_INDEX_H
#define LEDGER_INDEX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"

#define INDEX_NONE UINT32_MAX

struct index_slots;

struct index {
	struct index_slots *slots;
};

/* index_hash - of @size bytes; @seed chains several pieces. */
uint32_t index_hash(uint32_t seed, const void *data, size_t size);

/* index_find - the id under @hash for which @same(@key, id) holds, or INDEX_NONE. */
uint32_t index_find(const struct index *index, uint32_t hash, bool (*same)(const void *key, uint32_t id),
		    const void *key);

/* index_reserve - make sure that the next index_put has room. Return: false when memory ran out. */
bool index_reserve(struct index *index, struct arena *arena);

/* index_put - add @id under @hash; needs an index_reserve before it. */
void index_put(struct index *index, uint32_t hash, uint32_t id);

#endif
