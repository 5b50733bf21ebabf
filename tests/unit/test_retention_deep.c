/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes that hurt: lists of a million nodes (recursion, quadratic climbs), and dominators of graphs deep enough
 * for every length of jump. A slow answer shows as the test's time-out. */
#include "retention/dominators.h"
#include "retention/reach.h"
#include "test_retention.h"

#define LENGTH 1000000u
#define SHARED 500u
#define TANGLED 250u

static uint64_t one(void *context, uint32_t node)
{
	(void)context;
	(void)node;
	return 1;
}

static void count(void *context, uint32_t node)
{
	(void)node;
	++*(uint64_t *)context;
}

/* A list whose node i also points at value i % SHARED (a leaf for even numbers): the value falls to the first to
 * use it. */
static void list(void)
{
	uint32_t parent_of_last, wanted[] = { LENGTH / 2, 0, LENGTH - 1, 0 };
	uint64_t objects[4], bytes[4], visited = 0;
	struct dominators tree;
	struct graph graph;

	graph_init(&graph);
	for (uint32_t node = 0; node < LENGTH; node++) {
		CHECK(graph_begin_node(&graph) == 0 && graph_edge(&graph, LENGTH + node % SHARED) == 0);
		CHECK(node + 1 == LENGTH || graph_edge(&graph, node + 1) == 0);
	}
	for (uint32_t value = 0; value < SHARED; value++) {
		CHECK(graph_begin_node(&graph) == 0);
		CHECK(!(value & 1) || graph_edge(&graph, LENGTH + value) == 0);
	}
	CHECK(graph_end(&graph) == 0 && graph_reverse(&graph) == 0);
	graph.flags[0] = NODE_ROOT;
	CHECK(dominators_compute(&graph, &tree) == 0);
	for (uint32_t node = 1; node < LENGTH; node++)
		CHECK(tree.parent[node] == node - 1);
	for (uint32_t value = 0; value < SHARED; value++)
		CHECK(tree.parent[LENGTH + value] == value);
	parent_of_last = tree.parent[LENGTH - 1];
	CHECK(parent_of_last == LENGTH - 2);
	CHECK(dominators_retained(&tree, wanted, 4, one, NULL, objects, bytes) == 0);
	CHECK(objects[0] == LENGTH / 2 && objects[1] == LENGTH + SHARED && objects[2] == 1 && objects[3] == objects[1]);
	CHECK(bytes[0] == objects[0] && bytes[1] == objects[1] && bytes[3] == objects[1]);
	dominators_visit(&tree, LENGTH / 2, count, &visited);
	CHECK(visited == LENGTH / 2);
	dominators_finish(&tree);
	graph_finish(&graph);
}

/* Two ends of one list hold the same million objects, each with a child of its own. */
static void both_ends(void)
{
	uint32_t depth = LENGTH / 4, objects = LENGTH / 4;
	struct dominators tree;
	struct graph graph;

	graph_init(&graph);
	for (uint32_t node = 0; node < depth; node++) {
		CHECK(graph_begin_node(&graph) == 0);
		CHECK(node + 1 == depth || graph_edge(&graph, node + 1) == 0);
		for (uint32_t i = 0; i < objects && (node == 1 || node + 1 == depth); i++)
			CHECK(graph_edge(&graph, depth + 2 * i) == 0);
	}
	for (uint32_t i = 0; i < objects; i++) {
		CHECK(graph_begin_node(&graph) == 0 && graph_edge(&graph, depth + 2 * i + 1) == 0);
		CHECK(graph_begin_node(&graph) == 0 && graph_edge(&graph, depth + 2 * i) == 0);
	}
	CHECK(graph_end(&graph) == 0 && graph_reverse(&graph) == 0);
	graph.flags[0] = NODE_ROOT;
	CHECK(dominators_compute(&graph, &tree) == 0);
	for (uint32_t i = 0; i < objects; i++)
		CHECK(tree.parent[depth + 2 * i] == 1 && tree.parent[depth + 2 * i + 1] == depth + 2 * i);
	dominators_finish(&tree);
	graph_finish(&graph);
}

/* Which nodes are reached from node 0 when @without is gone. */
static void look(const struct graph *graph, uint32_t without, bool *alive)
{
	uint32_t stack[TANGLED], depth = 0;

	for (uint32_t node = 0; node < graph->nodes; node++)
		alive[node] = false;
	if (without == 0)
		return;
	alive[0] = true;
	stack[depth++] = 0;
	while (depth) {
		uint32_t node = stack[--depth];

		for (uint32_t edge = graph->first[node]; edge < graph->first[node + 1]; edge++) {
			uint32_t to = graph->target[edge];

			if (alive[to] || to == without)
				continue;
			alive[to] = true;
			stack[depth++] = to;
		}
	}
}

/* A list with few edges forward and any number back; dominators by removal. */
static void tangled(uint64_t *state)
{
	static bool alive[TANGLED], after[TANGLED], dominates[TANGLED][TANGLED];
	uint32_t depth[TANGLED] = { 0 }, rarity = 2 + random_below(state, 100);
	struct dominators tree;
	struct graph graph;

	graph_init(&graph);
	for (uint32_t node = 0; node < TANGLED; node++) {
		CHECK(graph_begin_node(&graph) == 0);
		CHECK(node + 1 == TANGLED || !random_below(state, 40) || graph_edge(&graph, node + 1) == 0);
		while (!random_below(state, rarity))
			CHECK(graph_edge(&graph, random_below(state, TANGLED)) == 0);
		while (!random_below(state, 3))
			CHECK(graph_edge(&graph, random_below(state, node + 1)) == 0);
	}
	CHECK(graph_end(&graph) == 0 && graph_reverse(&graph) == 0);
	graph.flags[0] = NODE_ROOT;
	look(&graph, NODE_NONE, alive);
	for (uint32_t node = 0; node < TANGLED; node++) {
		look(&graph, node, after);
		for (uint32_t other = 0; other < TANGLED; other++) {
			dominates[node][other] = alive[node] && alive[other] && !after[other];
			depth[other] += dominates[node][other];
		}
	}
	CHECK(dominators_compute(&graph, &tree) == 0);
	for (uint32_t node = 0; node < TANGLED; node++) {
		uint32_t parent = tree.parent[node];

		if (!alive[node])
			CHECK(parent == NODE_NONE);
		else if (node == 0)
			CHECK(parent == NODE_VIRTUAL_ROOT);
		else
			CHECK(parent < TANGLED && dominates[parent][node] && depth[parent] + 1 == depth[node]);
	}
	dominators_finish(&tree);
	graph_finish(&graph);
}

static void number_order(void *context, uint32_t node)
{
	uint32_t *next = context;

	CHECK(node == *next);
	++*next;
}

/* More deaths than fit a simple sort, found in an order that is not that of their numbers; among @others that nothing
 * happens to. */
static void many_die(uint32_t others)
{
	uint32_t nodes = 5000, dropped[] = { 0 };
	uint8_t *candidates = calloc(nodes + others, 1);
	struct reach_scratch *scratch;
	struct graph graph;

	graph_init(&graph);
	for (uint32_t node = 0; node < nodes; node++) {
		CHECK(graph_begin_node(&graph) == 0);
		candidates[node] = 1;
		CHECK(node || graph_edge(&graph, 1) == 0);
		if (node)
			CHECK(graph_edge(&graph, 1 + (uint32_t)(node * UINT64_C(2750159) % (nodes - 1))) == 0);
		if (node)
			CHECK(graph_edge(&graph, nodes - node) == 0 && graph_edge(&graph, 1 + node % (nodes - 1)) == 0);
	}
	for (uint32_t node = 0; node < others; node++)
		CHECK(graph_begin_node(&graph) == 0);
	CHECK(graph_end(&graph) == 0 && graph_reverse(&graph) == 0);
	graph.flags[0] = NODE_REGISTRATION;
	scratch = reach_scratch_new(&graph);
	for (unsigned again = 0; again < 2; again++) {
		uint32_t next = 1;

		CHECK(reach_freed(&graph, candidates, dropped, 1, NULL, 0, scratch, number_order, &next) == nodes - 1);
		CHECK(next == nodes);
	}
	reach_scratch_free(scratch);
	free(candidates);
	graph_finish(&graph);
}

int main(void)
{
	uint64_t state = 88172645463325252;

	list();
	both_ends();
	many_die(0);
	many_die(1000000);
	for (unsigned round = 0; round < 300; round++)
		tangled(&state);
	return 0;
}
