/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/reach.h"
#include "test_retention.h"

#define MOST 16
#define N NODE_NONE

struct expected { uint8_t reach[MOST]; uint32_t parent[MOST]; };

static void check(const char *edges, uint32_t nodes, const uint8_t *flags, const struct expected *expected)
{
	struct graph graph;
	uint32_t parent[MOST];
	uint8_t reach[MOST];

	graph_of(&graph, nodes, edges);
	for (uint32_t node = 0; node < nodes; node++)
		graph.flags[node] = flags[node];
	CHECK(reach_mark(&graph, reach, parent) == 0);
	for (uint32_t node = 0; node < nodes; node++) {
		CHECK(reach[node] == expected->reach[node]);
		CHECK(parent[node] == expected->parent[node]);
	}
	CHECK(reach_mark(&graph, reach, NULL) == 0);
	for (uint32_t node = 0; node < nodes; node++)
		CHECK(reach[node] == expected->reach[node]);
	graph_finish(&graph);
}

/* 0 registration, 1 bound method, 2 owner, 3 its part; the same with a frame (4) on the part. */
static void fork_only(void)
{
	check("0>1 1>2 2>3", 5, (uint8_t[]){ NODE_REGISTRATION, 0, 0, 0, NODE_ROOT },
	      &(struct expected){ { 1, 1, 1, 1, 2 }, { N, 0, 1, 2, N } });
	check("0>1 1>2 2>3 4>3", 5, (uint8_t[]){ NODE_REGISTRATION, 0, 0, 0, NODE_ROOT },
	      &(struct expected){ { 1, 1, 1, 2, 2 }, { N, 0, 1, 4, N } });
}

/* 0 sys.modules, 1 module, 2 its dict, 3 list, 4 object, 5 frame that has the object: the module's path is
 * preferred although the frame's is shorter; what only the frame has (6) starts there. */
static void namespace_preferred(void)
{
	check("0>1 1>2 2>3 3>4 5>4 5>6", 7, (uint8_t[]){ NODE_ROOT, NODE_NAMESPACE, 0, 0, 0, NODE_ROOT, 0 },
	      &(struct expected){ { 2, 2, 2, 2, 2, 2, 2 }, { N, N, 1, 2, 3, N, 5 } });
	check("0>1 1>2 2>3 3>4 5>4 5>6", 7, (uint8_t[]){ NODE_ROOT, 0, 0, 0, 0, NODE_ROOT, 0 },
	      &(struct expected){ { 2, 2, 2, 2, 2, 2, 2 }, { N, 0, 1, 2, 5, N, 5 } });
}

static void shortest(void)
{
	check("0>1 1>2 2>3 0>3 3>3 0>3", 4, (uint8_t[]){ NODE_ROOT | NODE_NAMESPACE, 0, 0, 0 },
	      &(struct expected){ { 2, 2, 2, 2 }, { N, 0, 1, 0 } });
}

/* 1 is a class that only the registration reaches: no seed, and what it names is fork-only. With 3 a root: seed. */
static void namespace_of_fork(void)
{
	check("0>1 1>2 3>3", 4, (uint8_t[]){ NODE_REGISTRATION, NODE_NAMESPACE, 0, NODE_ROOT },
	      &(struct expected){ { 1, 1, 1, 2 }, { N, 0, 1, N } });
	check("0>1 1>2 3>1", 4, (uint8_t[]){ NODE_REGISTRATION, NODE_NAMESPACE, 0, NODE_ROOT },
	      &(struct expected){ { 1, 2, 2, 2 }, { N, N, 1, N } });
}

/* A class in garbage: neither seed nor reached, nor is what it names. */
static void namespace_of_garbage(void)
{
	check("0>1 1>0 0>2 3>3", 4, (uint8_t[]){ NODE_NAMESPACE, 0, 0, NODE_ROOT },
	      &(struct expected){ { 0, 0, 0, 2 }, { N, N, N, N } });
}

/* 0 frame, 1 object, 2 its class, made in a function, with a registry (3) of the object; 4 belongs to the object. The
 * class lives through the object, so the object's path must come from the frame. Then with a module (5) that has
 * the class too: the path through the class is a real one. */
static void circle(void)
{
	check("0>1 1>2 2>3 3>1 1>4", 6, (uint8_t[]){ NODE_ROOT, 0, NODE_NAMESPACE, 0, 0, 0 },
	      &(struct expected){ { 2, 2, 2, 2, 2, 0 }, { N, 0, N, 2, 1, N } });
	check("0>1 1>2 2>3 3>1 1>4 5>2", 6,
	      (uint8_t[]){ NODE_ROOT, 0, NODE_NAMESPACE, 0, 0, NODE_ROOT | NODE_NAMESPACE },
	      &(struct expected){ { 2, 2, 2, 2, 2, 2 }, { N, 3, N, 2, 1, N } });
}

/* The frame itself lies on the circle; two classes each of which names what alone holds the other. */
static void larger_circles(void)
{
	check("0>1 1>2 2>0", 3, (uint8_t[]){ NODE_ROOT, NODE_NAMESPACE, 0 },
	      &(struct expected){ { 2, 2, 2 }, { N, N, 1 } });
	check("0>1 1>2 2>3 3>4 4>1", 5, (uint8_t[]){ NODE_ROOT, 0, NODE_NAMESPACE, 0, NODE_NAMESPACE },
	      &(struct expected){ { 2, 2, 2, 2, 2 }, { N, 0, N, 2, N } });
}

static void root_before_fork(void)
{
	check("0>1 2>1 1>3 0>3", 4, (uint8_t[]){ NODE_REGISTRATION, 0, NODE_ROOT, 0 },
	      &(struct expected){ { 1, 2, 2, 2 }, { N, 2, N, 1 } });
}

/* 0 class, 1 its registry, 2 owner, 3 second way. */
static void cut(void)
{
	struct cut_edge edges[] = { { 1, 2 }, { 3, 0 } };
	struct graph graph;
	uint8_t alive[4];

	graph_of(&graph, 4, "0>1 1>2 1>2 0>3");
	graph.flags[0] = NODE_ROOT;
	CHECK(reach_cut(&graph, edges, 0, alive) == 0);
	CHECK(alive[0] == 1 && alive[1] == 1 && alive[2] == 1 && alive[3] == 1);
	CHECK(reach_cut(&graph, edges, 2, alive) == 0);
	CHECK(alive[0] == 1 && alive[1] == 1 && alive[2] == 0 && alive[3] == 1);
	graph_finish(&graph);
	graph_of(&graph, 4, "0>1 1>2 1>2 0>3 3>2");
	graph.flags[0] = NODE_ROOT;
	CHECK(reach_cut(&graph, edges, 1, alive) == 0);
	CHECK(alive[2] == 1);
	graph.flags[0] = NODE_REGISTRATION;
	CHECK(reach_cut(&graph, edges, 1, alive) == 0);
	CHECK(alive[0] == 0 && alive[2] == 0);
	graph_finish(&graph);
}

int main(void)
{
	fork_only();
	namespace_preferred();
	shortest();
	namespace_of_fork();
	namespace_of_garbage();
	circle();
	larger_circles();
	root_before_fork();
	cut();
	return 0;
}
