/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/path.h"

#include <errno.h>
#include <stdlib.h>

struct path_search {
	const struct path_map *map;
	uint32_t *next;    /* [nodes] next node on the way to the end, plus 1; 0 not seen. All 0 between calls. */
	uint32_t *seen;    /* queue of the search */
	uint32_t count, room;
};

struct path_search *path_search_new(const struct path_map *map)
{
	struct path_search *search = calloc(1, sizeof(*search));

	if (!search)
		return NULL;
	search->map = map;
	search->next = calloc((size_t)map->graph->nodes + 1, sizeof(*search->next));
	if (!search->next) {
		free(search);
		return NULL;
	}
	return search;
}

void path_search_free(struct path_search *search)
{
	if (!search)
		return;
	free(search->next);
	free(search->seen);
	free(search);
}

/* A search that has not found a way by then is not worth its time: owners are many. */
#define SEARCH_MAX 50000u

/* Length of reach_mark's path to @node, or 0 if it passes @avoid or starts at what only @avoid keeps. One that is
 * longer than @room is not followed to its end. */
static uint32_t marked_length(const struct path_map *map, uint32_t node, uint32_t avoid, uint32_t room)
{
	uint32_t length = 1;

	for (; node != avoid && map->parent[node] != NODE_NONE; node = map->parent[node])
		if (++length > room)
			return length;
	return node == avoid || dominators_above(map->dominators, avoid, node) ? 0 : length;
}

static int see(struct path_search *search, uint32_t node, uint32_t next)
{
	if (search->count == search->room) {
		uint32_t room = search->room ? search->room * 2 : 256;
		uint32_t *seen = realloc(search->seen, (size_t)room * sizeof(*seen));

		if (!seen)
			return -ENOMEM;
		search->seen = seen;
		search->room = room;
	}
	search->next[node] = next + 1;
	search->seen[search->count++] = node;
	return 0;
}

static bool starts(const struct path_map *map, uint32_t node)
{
	uint8_t flags = map->graph->flags[node];

	return flags & (NODE_ROOT | NODE_REGISTRATION) || (flags & NODE_NAMESPACE && map->reach[node] == REACH_ROOT);
}

/* Breadth first against the edges. *@start: where a path to @node starts, or NODE_NONE. */
static int search_back(struct path_search *search, uint32_t node, uint32_t avoid, uint32_t *start)
{
	const struct path_map *map = search->map;
	const struct graph *graph = map->graph;
	int r = see(search, node, node);

	*start = NODE_NONE;
	for (uint32_t head = 0; head < search->count && head < SEARCH_MAX && r >= 0; head++) {
		uint32_t here = search->seen[head], end = graph->reverse_first[here + 1];

		if (starts(map, here)) {
			*start = here;
			break;
		}
		for (uint32_t edge = graph->reverse_first[here]; edge < end && r >= 0; edge++) {
			uint32_t source = graph->source[edge];

			if (search->next[source] || map->reach[source] == REACH_NONE ||
			    dominators_above(map->dominators, avoid, source))
				continue;
			r = see(search, source, here);
		}
	}
	return r;
}

static uint32_t unroll(const struct path_search *search, uint32_t start, uint32_t *path, uint32_t room)
{
	uint32_t length = 1, node = start;

	for (; search->next[node] - 1 != node; node = search->next[node] - 1)
		length++;
	if (length > room)
		return length;
	for (node = start; search->next[node] - 1 != node; node = search->next[node] - 1)
		*path++ = node;
	*path = node;
	return length;
}

int64_t path_to(struct path_search *search, uint32_t node, uint32_t avoid, uint32_t *path, uint32_t room)
{
	const struct path_map *map = search->map;
	uint32_t length, start;
	int r;

	if (map->reach[node] == REACH_NONE || (avoid != NODE_NONE && dominators_above(map->dominators, avoid, node)))
		return 0;
	length = marked_length(map, node, avoid, room);
	if (length) {
		for (uint32_t place = length; place-- > 0 && length <= room; node = map->parent[node])
			path[place] = node;
		return length;
	}
	search->count = 0;
	r = search_back(search, node, avoid, &start);
	if (r >= 0 && start != NODE_NONE)
		length = unroll(search, start, path, room);
	while (search->count)
		search->next[search->seen[--search->count]] = 0;
	return r < 0 ? r : (int64_t)length;
}
