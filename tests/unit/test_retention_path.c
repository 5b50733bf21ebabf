/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/path.h"
#include "test_retention.h"

#define MOST 16

struct known {
	struct graph graph;
	struct dominators tree;
	uint8_t reach[MOST];
	uint32_t parent[MOST];
	struct path_map map;
};

static void know(struct known *known)
{
	CHECK(reach_mark(&known->graph, known->reach, known->parent) == 0);
	CHECK(dominators_compute(&known->graph, &known->tree) == 0);
	known->map = (struct path_map){ &known->graph, &known->tree, known->reach, known->parent };
}

static void forget(struct known *known)
{
	dominators_finish(&known->tree);
	graph_finish(&known->graph);
}

static void check(const char *edges, const uint8_t *flags, uint32_t node, uint32_t avoid, uint32_t length,
		  const uint32_t *wanted)
{
	uint32_t path[MOST] = { 77, 77 };
	struct path_search *search;
	struct known known;

	graph_of(&known.graph, 8, edges);
	for (uint32_t i = 0; i < 8; i++)
		known.graph.flags[i] = flags[i];
	know(&known);
	search = path_search_new(&known.map);
	CHECK(path_to(search, node, avoid, path, length ? length - 1 : 0) == length && path[0] == 77);
	CHECK(path_to(search, node, avoid, path, MOST) == length);
	for (uint32_t i = 0; i < length; i++)
		CHECK(path[i] == wanted[i]);
	path_search_free(search);
	forget(&known);
}

/* 0 module, 1 its dict, 2 owner, 3 holder of the owner, 4 frame, 5 dict, 6 class of the owner, 7 registration. */
static void by_hand(void)
{
	static const uint8_t flags[8] = {
		NODE_ROOT | NODE_NAMESPACE, 0, 0, 0, NODE_ROOT, 0, NODE_NAMESPACE, NODE_REGISTRATION,
	};

	check("0>1 1>3 3>2", flags, 3, 2, 3, (uint32_t[]){ 0, 1, 3 });
	check("0>1 1>3 3>2", flags, 3, NODE_NONE, 3, (uint32_t[]){ 0, 1, 3 });
	check("0>1 1>2 2>3 3>2", flags, 3, 2, 0, NULL);
	check("0>1 1>2 2>3 3>2", flags, 3, NODE_NONE, 4, (uint32_t[]){ 0, 1, 2, 3 });
	/* The shortest way to the holder is by the owner; a longer one shows why the holder lives without it. */
	check("0>2 2>3 3>2 4>5 5>3", flags, 3, 2, 3, (uint32_t[]){ 4, 5, 3 });
	check("0>2 2>3 3>2 7>5 5>3", flags, 3, 2, 3, (uint32_t[]){ 7, 5, 3 });
	/* A class that the owner alone keeps is no place to start from; one that a module has too is. */
	check("4>2 2>6 6>3 3>2 4>5 5>3", flags, 3, 2, 3, (uint32_t[]){ 4, 5, 3 });
	check("4>2 2>6 6>3 3>2 4>5 5>3 0>6", flags, 3, 2, 2, (uint32_t[]){ 6, 3 });
	check("5>3 3>5", flags, 3, NODE_NONE, 0, NULL);
	check("7>5 5>3", flags, 3, 2, 3, (uint32_t[]){ 7, 5, 3 });
	check("0>1", flags, 4, 2, 1, (uint32_t[]){ 4 });
	check("0>1", flags, 4, 4, 0, NULL);
}

static bool has_edge(const struct graph *graph, uint32_t from, uint32_t to)
{
	for (uint32_t edge = graph->first[from]; edge < graph->first[from + 1]; edge++)
		if (graph->target[edge] == to)
			return true;
	return false;
}

static void by_chance(uint64_t *state)
{
	struct path_search *search;
	uint32_t path[MOST];
	struct known known;

	graph_random(&known.graph, state);
	know(&known);
	search = path_search_new(&known.map);
	for (uint32_t node = 0; node < known.graph.nodes; node++) {
		for (uint32_t avoid = 0; avoid < known.graph.nodes; avoid++) {
			int64_t length = path_to(search, node, avoid, path, MOST);
			bool none = !known.reach[node] || dominators_above(&known.tree, avoid, node);

			CHECK(none == (length == 0));
			if (none)
				continue;
			CHECK(path[length - 1] == node && path[0] != avoid);
			CHECK(known.graph.flags[path[0]] && known.reach[path[0]]);
			CHECK(!dominators_above(&known.tree, avoid, path[0]));
			for (int64_t i = 1; i < length; i++)
				CHECK(has_edge(&known.graph, path[i - 1], path[i]) && path[i] != avoid);
		}
	}
	path_search_free(search);
	forget(&known);
}

int main(void)
{
	uint64_t state = UINT64_C(0x853c49e6748fea9b);

	by_hand();
	for (unsigned round = 0; round < 10000; round++)
		by_chance(&state);
	return 0;
}
