/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_map.h - from an object's address to its node.
 *
 * Two objects never start in the same 16 bytes (the smallest object has 16), so a table indexed by address / 16 needs
 * no keys and no probing, and neighbours in the heap are neighbours in the table: a hash table was half of the whole
 * collection's time.
 */
#ifndef PYTHON_NODE_MAP_H
#define PYTHON_NODE_MAP_H
#include <stddef.h>
#include <stdint.h>

#define NODE_MAP_GRANULE 4
#define NODE_MAP_LEAF 14    /* bits; granules in a leaf: 256 KiB of heap, an arena of CPython's */
#define NODE_MAP_MIDDLE 15
#define NODE_MAP_TOP 15
#define NODE_MAP_ADDRESS (NODE_MAP_GRANULE + NODE_MAP_LEAF + NODE_MAP_MIDDLE + NODE_MAP_TOP)

/* Over 48-bit addresses; four bytes for each 16 of heap touched. 0 is "not there". */
struct node_map {
	uint32_t ***regions;
};

/* node_map_init - given back with the copy's heap. Return: 0 or -ENOMEM. */
int node_map_init(struct node_map *map);

/* node_map_add - node_map_slot for an address whose leaf is not there yet. NULL: no memory, or no address. */
uint32_t *node_map_add(struct node_map *map, uintptr_t address);

static inline size_t node_map_part(uintptr_t address, int shift, int bits)
{
	return address >> shift & (((uintptr_t)1 << bits) - 1);
}

static inline uint32_t **node_map_region(const struct node_map *map, uintptr_t address)
{
	if (address >> NODE_MAP_ADDRESS)
		return NULL;
	return map->regions[node_map_part(address, NODE_MAP_GRANULE + NODE_MAP_LEAF + NODE_MAP_MIDDLE, NODE_MAP_TOP)];
}

static inline uint32_t *node_map_find(const struct node_map *map, uintptr_t address)
{
	uint32_t **region = node_map_region(map, address);
	uint32_t *leaf = region ? region[node_map_part(address, NODE_MAP_GRANULE + NODE_MAP_LEAF, NODE_MAP_MIDDLE)] : NULL;
	return leaf ? &leaf[node_map_part(address, NODE_MAP_GRANULE, NODE_MAP_LEAF)] : NULL;
}

/* node_map_slot - the entry of @address, made if need be. */
static inline uint32_t *node_map_slot(struct node_map *map, const void *address)
{
	uint32_t *slot = node_map_find(map, (uintptr_t)address);
	return slot ? slot : node_map_add(map, (uintptr_t)address);
}

static inline uint32_t node_map_get(const struct node_map *map, const void *address)
{
	const uint32_t *slot = node_map_find(map, (uintptr_t)address);
	return slot ? *slot : 0;
}

#endif
