/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/dominators.h"
#include "test_retention.h"

#define R NODE_VIRTUAL_ROOT
#define F NODE_VIRTUAL_FORK
#define N NODE_NONE

static void check(const char *edges, uint32_t nodes, const uint8_t *flags, const uint32_t *parent)
{
	struct dominators tree;
	struct graph graph;

	graph_of(&graph, nodes, edges);
	for (uint32_t node = 0; node < nodes; node++)
		graph.flags[node] = flags[node];
	CHECK(dominators_compute(&graph, &tree) == 0);
	for (uint32_t node = 0; node < nodes; node++)
		CHECK(tree.parent[node] == parent[node]);
	dominators_finish(&tree);
	dominators_finish(&tree);
	graph_finish(&graph);
}

/* 0 and 1 registrations, 2 and 3 bound methods, 4 owner, 5 what it holds, 6 a frame. */
static void registrations(void)
{
	static const uint8_t flags[] = { NODE_REGISTRATION, NODE_REGISTRATION, 0, 0, 0, 0, NODE_ROOT };

	check("0>2 1>3 2>4 4>5 5>4", 7, flags, (uint32_t[]){ F, F, 0, 1, 2, 4, R });
	check("0>2 1>3 2>4 3>4 4>5 5>4", 7, flags, (uint32_t[]){ F, F, 0, 1, F, 4, R });
	check("0>2 0>3 2>4 3>4 4>5 5>4", 7, flags, (uint32_t[]){ F, F, 0, 0, 0, 4, R });
	check("0>2 1>3 2>4 4>5 5>4 6>4", 7, flags, (uint32_t[]){ F, F, 0, 1, R, 4, R });
	check("0>2 1>3 2>4 4>5 5>4 6>5", 7, flags, (uint32_t[]){ F, F, 0, 1, R, R, R });
	check("0>2 1>3 2>4 4>5 6>5", 7, flags, (uint32_t[]){ F, F, 0, 1, 2, R, R });
}

/* A leaf (3) held by one, by two that one holds, by two that only ROOT holds both, by ROOT itself. */
static void leaves(void)
{
	static const uint8_t one[] = { NODE_ROOT, 0, 0, 0, 0 }, two[] = { NODE_ROOT, 0, NODE_ROOT, 0, 0 },
				    self[] = { NODE_ROOT, 0, 0, NODE_ROOT, 0 },
				    bare[] = { NODE_REGISTRATION, 0, 0, NODE_ROOT, 0 };

	check("0>1 0>2 1>3 1>3", 5, one, (uint32_t[]){ R, 0, 0, 1, N });
	check("0>1 0>2 1>3 2>3", 5, one, (uint32_t[]){ R, 0, 0, 0, N });
	check("0>1 1>3 2>3", 5, two, (uint32_t[]){ R, 0, R, R, N });
	check("0>1 1>3", 5, self, (uint32_t[]){ R, 0, N, R, N });
	check("1>2", 5, bare, (uint32_t[]){ F, N, N, R, N });
}

/* Garbage (2, 3) that points into what lives owns nothing. */
static void garbage(void)
{
	check("0>1 2>3 3>2 2>1 3>4 1>4", 5, (uint8_t[]){ NODE_REGISTRATION, 0, 0, 0, 0 },
	      (uint32_t[]){ F, 0, N, N, 1 });
}

static void loops(void)
{
	check("0>0 0>1 1>1 1>0 1>2 2>1 2>3 3>0", 4, (uint8_t[]){ NODE_ROOT, 0, 0, 0 }, (uint32_t[]){ R, 0, 1, 2 });
	check("0>0 0>1 1>1 1>2 2>3 3>1", 4, (uint8_t[]){ NODE_ROOT, 0, 0, NODE_ROOT }, (uint32_t[]){ R, R, 1, R });
}

static void nothing(void)
{
	check("", 0, NULL, NULL);
	check("", 1, (uint8_t[]){ 0 }, (uint32_t[]){ N });
	check("", 1, (uint8_t[]){ NODE_ROOT | NODE_REGISTRATION }, (uint32_t[]){ R });
}

struct walk { uint32_t seen[8], count; };

static void visit(void *context, uint32_t node)
{
	struct walk *walk = context;

	walk->seen[walk->count++] = node;
}

static uint64_t size_of(void *context, uint32_t node)
{
	++*(uint32_t *)context;
	return 10 + node;
}

/* 0 > (1 > (3, 4), 2), 5 in garbage. */
static void subtrees(void)
{
	uint32_t wanted[] = { 1, 0, 4, 5, 1 }, asked = 0;
	uint64_t objects[5], bytes[5];
	struct walk walk = { .count = 0 };
	struct dominators tree;
	struct graph graph;

	graph_of(&graph, 6, "0>2 0>1 1>4 1>3 4>1");
	graph.flags[0] = NODE_ROOT;
	CHECK(dominators_compute(&graph, &tree) == 0);
	CHECK(tree.first_child[0] == 1 && tree.next_sibling[1] == 2 && tree.next_sibling[2] == N);
	CHECK(tree.first_child[1] == 3 && tree.next_sibling[3] == 4 && tree.next_sibling[4] == N);
	CHECK(tree.first_child[5] == N);
	dominators_visit(&tree, 1, visit, &walk);
	CHECK(walk.count == 3 && walk.seen[0] == 1 && walk.seen[1] == 3 && walk.seen[2] == 4);
	CHECK(dominators_above(&tree, 0, 4) && dominators_above(&tree, 4, 4) && dominators_above(&tree, R, 4));
	CHECK(!dominators_above(&tree, 2, 4) && !dominators_above(&tree, 4, 1) && !dominators_above(&tree, 0, 5));
	CHECK(dominators_retained(&tree, wanted, 5, size_of, &asked, objects, bytes) == 0);
	CHECK(asked == 6);
	CHECK(objects[0] == 3 && objects[1] == 5 && objects[2] == 1 && objects[3] == 1 && objects[4] == 3);
	CHECK(bytes[0] == 38 && bytes[1] == 60 && bytes[2] == 14 && bytes[3] == 15 && bytes[4] == 38);
	asked = 0;
	CHECK(dominators_retained(&tree, wanted, 1, size_of, &asked, objects, bytes) == 0 && asked == 3);
	dominators_finish(&tree);
	graph_finish(&graph);
}

int main(void)
{
	registrations();
	leaves();
	garbage();
	loops();
	nothing();
	subtrees();
	return 0;
}
