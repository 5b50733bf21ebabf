/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/dominators.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "retention/semi.h"

/* Descending, so that each list comes out ascending. */
static void link_children(struct dominators *result)
{
	memset(result->first_child, 0xff, (size_t)result->nodes * sizeof(*result->first_child));
	for (uint32_t node = result->nodes; node-- > 0;) {
		uint32_t parent = result->parent[node];

		result->next_sibling[node] = NODE_NONE;
		if (parent >= NODE_VIRTUAL_FORK)
			continue;
		result->next_sibling[node] = result->first_child[parent];
		result->first_child[parent] = node;
	}
}

int dominators_compute(const struct graph *graph, struct dominators *result)
{
	return dominators_compute_behind(graph, NULL, result);
}

int dominators_compute_behind(const struct graph *graph, const uint8_t *behind, struct dominators *result)
{
	size_t size = ((size_t)graph->nodes + 1) * sizeof(uint32_t);
	int r = -ENOMEM;

	memset(result, 0, sizeof(*result));
	result->nodes = graph->nodes;
	result->parent = malloc(size);
	result->first_child = malloc(size);
	result->next_sibling = malloc(size);
	if (result->parent && result->first_child && result->next_sibling)
		/* The lists are built last: until then their memory serves as the search's. */
		r = semi_dominators(graph, behind, result->parent, result->next_sibling, result->first_child);
	if (r < 0)
		dominators_finish(result);
	else
		link_children(result);
	return r;
}

void dominators_finish(struct dominators *dominators)
{
	free(dominators->parent);
	free(dominators->first_child);
	free(dominators->next_sibling);
	free(dominators->enter);
	free(dominators->leave);
	memset(dominators, 0, sizeof(*dominators));
}

void dominators_visit(const struct dominators *dominators, uint32_t node, void (*visit)(void *context, uint32_t node),
		      void *context)
{
	uint32_t top = node;

	for (;;) {
		visit(context, node);
		if (dominators->first_child[node] != NODE_NONE) {
			node = dominators->first_child[node];
			continue;
		}
		while (node != top && dominators->next_sibling[node] == NODE_NONE)
			node = dominators->parent[node];
		if (node == top)
			return;
		node = dominators->next_sibling[node];
	}
}

/* All of the tree below @top, from @clock on. Return: the clock afterwards. */
static uint32_t number_tree(struct dominators *dominators, uint32_t top, uint32_t clock)
{
	uint32_t node = top;

	for (;;) {
		dominators->enter[node] = clock++;
		if (dominators->first_child[node] != NODE_NONE) {
			node = dominators->first_child[node];
			continue;
		}
		dominators->leave[node] = clock;
		while (node != top && dominators->next_sibling[node] == NODE_NONE) {
			node = dominators->parent[node];
			dominators->leave[node] = clock;
		}
		if (node == top)
			return clock;
		node = dominators->next_sibling[node];
	}
}

int dominators_number(struct dominators *dominators)
{
	size_t size = ((size_t)dominators->nodes + 1) * sizeof(uint32_t);
	uint32_t clock = 0;

	dominators->enter = malloc(size);
	dominators->leave = malloc(size);
	if (!dominators->enter || !dominators->leave) {
		free(dominators->enter);
		free(dominators->leave);
		dominators->enter = dominators->leave = NULL;
		return -ENOMEM;
	}
	/* What nothing reaches stands alone: it dominates itself. */
	for (uint32_t node = 0; node < dominators->nodes; node++)
		if (dominators->parent[node] >= NODE_VIRTUAL_FORK)
			clock = number_tree(dominators, node, clock);
	return 0;
}

bool dominators_above(const struct dominators *dominators, uint32_t above, uint32_t node)
{
	if (dominators->enter && above < dominators->nodes && node < dominators->nodes)
		return dominators->enter[above] <= dominators->enter[node] &&
		       dominators->enter[node] < dominators->leave[above];
	while (node != above) {
		if (node >= NODE_VIRTUAL_FORK)
			return false;
		node = dominators->parent[node];
	}
	return true;
}

/* One walk adds up what it passes; a wanted node's share is the difference between entering and leaving it. */
struct retained {
	const struct dominators *dominators;
	uint64_t (*size)(void *context, uint32_t node);
	void *context;
	uint32_t *place;         /* [nodes] 0 not wanted, else index + 1, with PLACE_DONE once its share is known */
	uint64_t *objects, *bytes;
	uint64_t objects_passed, bytes_passed;
};

#define PLACE_DONE (UINT32_C(1) << 31)

/* Returns whether the walk has to go below @node. */
static bool retained_enter(struct retained *walk, uint32_t node)
{
	uint32_t place = walk->place[node];

	if (place & PLACE_DONE) {
		walk->objects_passed += walk->objects[(place & ~PLACE_DONE) - 1];
		walk->bytes_passed += walk->bytes[(place & ~PLACE_DONE) - 1];
		return false;
	}
	if (place) {
		walk->objects[place - 1] = walk->objects_passed;
		walk->bytes[place - 1] = walk->bytes_passed;
	}
	walk->objects_passed++;
	walk->bytes_passed += walk->size(walk->context, node);
	return true;
}

static void retained_leave(struct retained *walk, uint32_t node)
{
	uint32_t place = walk->place[node];

	if (!place || place & PLACE_DONE)
		return;
	walk->objects[place - 1] = walk->objects_passed - walk->objects[place - 1];
	walk->bytes[place - 1] = walk->bytes_passed - walk->bytes[place - 1];
	walk->place[node] |= PLACE_DONE;
}

static void retained_walk(struct retained *walk, uint32_t top)
{
	const struct dominators *dominators = walk->dominators;
	uint32_t node = top;

	for (;;) {
		if (retained_enter(walk, node) && dominators->first_child[node] != NODE_NONE) {
			node = dominators->first_child[node];
			continue;
		}
		retained_leave(walk, node);
		while (node != top && dominators->next_sibling[node] == NODE_NONE) {
			node = dominators->parent[node];
			retained_leave(walk, node);
		}
		if (node == top)
			return;
		node = dominators->next_sibling[node];
	}
}

int dominators_retained(const struct dominators *dominators, const uint32_t *wanted, uint32_t count,
			uint64_t (*size)(void *context, uint32_t node), void *context, uint64_t *objects,
			uint64_t *bytes)
{
	struct retained walk = { dominators, size, context, NULL, objects, bytes, 0, 0 };

	walk.place = calloc((size_t)dominators->nodes + 1, sizeof(*walk.place));
	if (!walk.place)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		if (!walk.place[wanted[i]])
			walk.place[wanted[i]] = i + 1;
	for (uint32_t i = 0; i < count; i++)
		if (!(walk.place[wanted[i]] & PLACE_DONE))
			retained_walk(&walk, wanted[i]);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t same = (walk.place[wanted[i]] & ~PLACE_DONE) - 1;

		objects[i] = objects[same];
		bytes[i] = bytes[same];
	}
	free(walk.place);
	return 0;
}
