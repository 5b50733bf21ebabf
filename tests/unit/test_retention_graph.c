/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "test_retention.h"

static void empty(void)
{
	struct graph graph;

	graph_init(&graph);
	CHECK(graph_end(&graph) == 0 && graph.nodes == 0 && graph.edges == 0 && graph.first[0] == 0);
	CHECK(graph_reverse(&graph) == 0 && graph.reverse_first[0] == 0);
	graph_finish(&graph);
	graph_finish(&graph);
}

static void unfinished(void)
{
	struct graph graph;

	graph_init(&graph);
	CHECK(graph_begin_node(&graph) == 0 && graph_edge(&graph, 7) == 0);
	graph_finish(&graph);
}

static void missing_target(void)
{
	struct graph graph;

	graph_init(&graph);
	CHECK(graph_begin_node(&graph) == 0 && graph_edge(&graph, 1) == 0);
	CHECK(graph_end(&graph) == -EINVAL);
	graph_finish(&graph);
	graph_init(&graph);
	CHECK(graph_begin_node(&graph) == 0 && graph_edge(&graph, 1) == 0 && graph_begin_node(&graph) == 0);
	CHECK(graph_end(&graph) == 0);
	graph_finish(&graph);
}

static void reversed(void)
{
	static const uint32_t first[] = { 0, 0, 1, 3, 6, 6 }, source[] = { 3, 0, 1, 0, 0, 3 };
	struct graph graph;

	graph_of(&graph, 5, "0>3 0>2 0>3 1>2 3>3 3>1");
	for (unsigned node = 0; node <= 5; node++)
		CHECK(graph.reverse_first[node] == first[node]);
	for (unsigned edge = 0; edge < 6; edge++)
		CHECK(graph.source[edge] == source[edge]);
	for (unsigned node = 0; node < 5; node++)
		CHECK(graph.flags[node] == 0);
	CHECK(graph_reverse(&graph) == 0 && graph.source[5] == 3);
	graph_finish(&graph);
}

static void grown(void)
{
	const uint32_t nodes = 100000;
	struct graph graph;

	graph_init(&graph);
	for (uint32_t node = 0; node < nodes; node++)
		for (uint32_t i = (uint32_t)graph_begin_node(&graph); i < node % 7; i++)
			CHECK(graph_edge(&graph, (node + i) % nodes) == 0);
	CHECK(graph_end(&graph) == 0);
	for (uint32_t node = 0; node < nodes; node++) {
		CHECK(graph.first[node + 1] - graph.first[node] == node % 7);
		for (uint32_t i = 0; i < node % 7; i++)
			CHECK(graph.target[graph.first[node] + i] == (node + i) % nodes);
	}
	graph_finish(&graph);
}

int main(void)
{
	empty();
	unfinished();
	missing_target();
	reversed();
	grown();
	return 0;
}
