/* SPDX-License-Identifier: Apache-2.0 */
/* test_retention.h - small graphs by hand or by chance, for the tests of src/retention. */
#ifndef TEST_RETENTION_H
#define TEST_RETENTION_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "retention/graph.h"

/* graph_of - build and reverse the graph of @nodes nodes whose edges @text lists: "0>1 0>2 2>2". Digits and spaces. */
static inline void graph_of(struct graph *graph, uint32_t nodes, const char *text)
{
	graph_init(graph);
	for (uint32_t node = 0; node < nodes; node++) {
		const char *at = text;
		unsigned from, to;
		int length;

		CHECK(graph_begin_node(graph) == 0);
		for (; sscanf(at, " %u>%u%n", &from, &to, &length) == 2; at += length)
			if (from == node)
				CHECK(graph_edge(graph, to) == 0);
	}
	CHECK(graph_end(graph) == 0);
	CHECK(graph_reverse(graph) == 0);
}

/* random_below - the next number of a fixed sequence (xorshift), so that a failure comes again. */
static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)((*state >> 11) % limit);
}

/* graph_random - up to 15 nodes, sparse to dense; registrations come first and nothing points at them. */
static inline void graph_random(struct graph *graph, uint64_t *state)
{
	uint32_t nodes = 1 + random_below(state, 15), registrations = random_below(state, 4);
	uint32_t density = 1 + random_below(state, 4), roots = 2 + random_below(state, 8);

	if (registrations >= nodes)
		registrations = nodes - 1;
	graph_init(graph);
	for (uint32_t node = 0; node < nodes; node++) {
		uint32_t edges = random_below(state, 2) ? 0 : random_below(state, density + 2);

		CHECK(graph_begin_node(graph) == 0);
		for (; edges; edges--)
			CHECK(graph_edge(graph, registrations + random_below(state, nodes - registrations)) == 0);
	}
	CHECK(graph_end(graph) == 0);
	CHECK(graph_reverse(graph) == 0);
	for (uint32_t node = 0; node < nodes; node++) {
		graph->flags[node] |= node < registrations ? NODE_REGISTRATION : 0;
		graph->flags[node] |= node >= registrations && !random_below(state, roots) ? NODE_ROOT : 0;
		graph->flags[node] |= node >= registrations && !random_below(state, 3) ? NODE_NAMESPACE : 0;
	}
}

#endif
