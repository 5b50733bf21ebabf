/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two objects never start in the same 16 bytes (the smallest object has 16), so a table indexed by address / 16 needs
 * no keys and no probing, and neighbours in the heap are neighbours in the table: a hash table was half of the whole
 * collection's time.
 */
#include <stdlib.h>

#include "python/heap.h"

#define GRANULE_BITS 4
#define LEAF_BITS 16   /* granules in a leaf: 1 MiB of heap */
#define MIDDLE_BITS 14
#define TOP_BITS 14
#define ADDRESS_BITS (GRANULE_BITS + LEAF_BITS + MIDDLE_BITS + TOP_BITS)

int node_map_init(struct node_map *map)
{
	map->regions = calloc((size_t)1 << TOP_BITS, sizeof *map->regions);
	return map->regions ? 0 : -1;
}

static size_t part(const void *address, int shift, int bits)
{
	return (uintptr_t)address >> shift & (((uintptr_t)1 << bits) - 1);
}

uint32_t *node_map_slot(struct node_map *map, const void *address)
{
	if ((uintptr_t)address >> ADDRESS_BITS)
		return NULL;
	uint32_t ***top = &map->regions[part(address, GRANULE_BITS + LEAF_BITS + MIDDLE_BITS, TOP_BITS)];
	if (!*top && !(*top = calloc((size_t)1 << MIDDLE_BITS, sizeof **top)))
		return NULL;
	uint32_t **leaf = &(*top)[part(address, GRANULE_BITS + LEAF_BITS, MIDDLE_BITS)];
	if (!*leaf && !(*leaf = calloc((size_t)1 << LEAF_BITS, sizeof **leaf)))
		return NULL;
	return &(*leaf)[part(address, GRANULE_BITS, LEAF_BITS)];
}

uint32_t node_map_get(const struct node_map *map, const void *address)
{
	if ((uintptr_t)address >> ADDRESS_BITS)
		return 0;
	uint32_t **middle = map->regions[part(address, GRANULE_BITS + LEAF_BITS + MIDDLE_BITS, TOP_BITS)];
	uint32_t *leaf = middle ? middle[part(address, GRANULE_BITS + LEAF_BITS, MIDDLE_BITS)] : NULL;
	return leaf ? leaf[part(address, GRANULE_BITS, LEAF_BITS)] : 0;
}
