/* SPDX-License-Identifier: Apache-2.0 */
#include "python/node_map.h"

#include <errno.h>
#include <stdlib.h>

#include "base/os.h"

/* The upper tables are as good as empty: straight from the kernel, so that only the pages in use cost anything. */
static void *table(int bits)
{
	return os_map(sizeof(void *) << bits);
}

int node_map_init(struct node_map *map)
{
	map->regions = table(NODE_MAP_TOP);
	return map->regions ? 0 : -ENOMEM;
}

uint32_t *node_map_add(struct node_map *map, uintptr_t address)
{
	if (address >> NODE_MAP_ADDRESS)
		return NULL;
	uint32_t ***region = &map->regions[node_map_part(address, NODE_MAP_GRANULE + NODE_MAP_LEAF + NODE_MAP_MIDDLE,
							 NODE_MAP_TOP)];
	if (!*region && !(*region = table(NODE_MAP_MIDDLE)))
		return NULL;
	uint32_t **leaf = &(*region)[node_map_part(address, NODE_MAP_GRANULE + NODE_MAP_LEAF, NODE_MAP_MIDDLE)];
	if (!*leaf && !(*leaf = calloc((size_t)1 << NODE_MAP_LEAF, sizeof **leaf)))
		return NULL;
	return node_map_find(map, address);
}
