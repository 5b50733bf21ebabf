/* SPDX-License-Identifier: Apache-2.0 */
/* Memory runs out at each allocation in turn: every pass says so, leaks nothing, and works when asked again. Linked
 * with --wrap for the malloc family. */
#include <errno.h>

#include "retention/path.h"
#include "test_retention.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

static int left = -1;  /* allocations that still succeed; -1: all */

static int refuse(void)
{
	if (left < 0)
		return 0;
	return left-- == 0 ? ++left, 1 : 0;
}

void *__wrap_malloc(size_t size)
{
	return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
	return refuse() ? NULL : __real_realloc(block, size);
}

static uint64_t one(void *context, uint32_t node)
{
	(void)context;
	(void)node;
	return 1;
}

static void count(void *context, uint32_t node)
{
	(void)node;
	++*(uint32_t *)context;
}

#define NODES 2000u

/* 0 is a registration of a list, each node of which has garbage (the second half) pointing at it. */
static int build(struct graph *graph)
{
	int r = 0;

	for (uint32_t node = 0; node < NODES && !r; node++) {
		r = graph_begin_node(graph);
		if (!r && node + 1 < NODES / 2)
			r = graph_edge(graph, node + 1);
		if (!r && node >= NODES / 2)
			r = graph_edge(graph, node + 1 - NODES / 2);
	}
	r = r ? r : graph_end(graph);
	return r ? r : graph_reverse(graph);
}

static int search(const struct path_map *map)
{
	struct path_search *search = path_search_new(map);
	uint32_t path[NODES];
	int64_t r;

	if (!search)
		return -ENOMEM;
	r = path_to(search, NODES / 2 - 1, NODE_NONE, path, NODES);
	path_search_free(search);
	CHECK(r == -ENOMEM || r == NODES / 2);
	return r < 0 ? (int)r : 0;
}

static int release(const struct graph *graph, const uint8_t *candidates)
{
	struct reach_scratch *scratch = reach_scratch_new(graph);
	uint32_t dropped[] = { 0 }, dead = 0, again = 0;
	int64_t r;

	if (!scratch)
		return -ENOMEM;
	r = reach_freed(graph, candidates, dropped, 1, NULL, 0, scratch, count, &dead);
	CHECK(r == -ENOMEM || r == NODES / 2 - 1);
	if (r < 0) {
		int before = left;

		left = -1;
		r = reach_freed(graph, candidates, dropped, 1, NULL, 0, scratch, count, &again);
		CHECK(dead == 0 && r == NODES / 2 - 1);
		r = -ENOMEM;
		left = before;
	}
	reach_scratch_free(scratch);
	return r < 0 ? (int)r : 0;
}

static int passes(struct graph *graph, struct dominators *tree, uint8_t *reach, uint8_t *alive, uint32_t *parent)
{
	uint32_t wanted[] = { 1 };
	uint64_t objects, bytes;
	int r = build(graph);

	if (!r)
		graph->flags[0] = NODE_REGISTRATION;
	r = r ? r : reach_mark(graph, reach, parent);
	r = r ? r : reach_cut(graph, NULL, 0, alive);
	for (uint32_t node = 0; node < NODES; node++)
		alive[node] = !alive[node];
	r = r ? r : dominators_compute(graph, tree);
	r = r ? r : dominators_retained(tree, wanted, 1, one, NULL, &objects, &bytes);
	r = r ? r : release(graph, alive);
	return r ? r : search(&(struct path_map){ graph, tree, reach, parent });
}

int main(void)
{
	static uint8_t reach[NODES], alive[NODES];
	static uint32_t parent[NODES];
	int allowed = 0, r;

	do {
		struct dominators tree = { 0 };
		struct graph graph;

		CHECK(allowed < 1000);
		graph_init(&graph);
		left = allowed++;
		r = passes(&graph, &tree, reach, alive, parent);
		left = -1;
		CHECK(r == 0 || r == -ENOMEM);
		dominators_finish(&tree);
		graph_finish(&graph);
	} while (r);
	CHECK(allowed > 25);
	return 0;
}
