/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph.h - a heap as arrays. Nodes are numbered from 0; edges are stored node by node in number order.
 *
 * There are two virtual roots that have no number: ROOT points at every node flagged NODE_ROOT (an owner that the graph
 * does not show), and FORK at every node flagged NODE_REGISTRATION (one call that registered callables; its edges go
 * to them). Nothing points at a registration node.
 */
#ifndef RETENTION_GRAPH_H
#define RETENTION_GRAPH_H
#include <stdbool.h>
#include <stdint.h>

#define NODE_NONE UINT32_MAX         /* no node; as a dominator: unreachable */
#define NODE_VIRTUAL_ROOT (UINT32_MAX - 1) /* as a dominator: ROOT (or ROOT and FORK both) */
#define NODE_VIRTUAL_FORK (UINT32_MAX - 2) /* as a dominator: FORK */

enum node_flag {
	NODE_ROOT = 1,          /* reached from ROOT */
	NODE_REGISTRATION = 2,  /* reached from FORK */
	NODE_NAMESPACE = 4,     /* a module or class object: shortest paths start here by preference */
};

struct graph {
	uint32_t nodes, node_room;
	uint32_t edges, edge_room;   /* at most UINT32_MAX - 1 */
	uint32_t *first;             /* [nodes + 1] index into target */
	uint32_t *target;            /* [edges] */
	uint32_t *reverse_first;     /* [nodes + 1], after graph_reverse */
	uint32_t *source;            /* [edges], after graph_reverse */
	uint8_t *flags;              /* [nodes] enum node_flag, free for the caller's own bits from 16 up */
};

/* graph_init/graph_finish - caller's memory for @graph; arrays by malloc. */
void graph_init(struct graph *graph);
void graph_finish(struct graph *graph);

/* Building: for each node in number order graph_begin_node once, then graph_edge for each of its edges (parallel
 * edges and self-loops allowed, targets may be nodes that begin later), then graph_end.
 * Return: 0, or -ENOMEM / -EOVERFLOW; then the graph is only good for graph_finish. */
static inline int graph_begin_node(struct graph *graph);
static inline int graph_edge(struct graph *graph, uint32_t target);
/* graph_end - all nodes have begun; checks that every target exists (-EINVAL), terminates, allocates flags (zeroed)
 * unless the caller has: [nodes + 1] by malloc. */
int graph_end(struct graph *graph);

/* graph_reserve - room for so many nodes and edges, if that is known or guessed. Return: 0 or -ENOMEM. */
int graph_reserve(struct graph *graph, uint64_t nodes, uint64_t edges);

/* graph_reverse - fill reverse_first and source (predecessors, ordered by source). Linear. */
int graph_reverse(struct graph *graph);
/* graph_reverse_counted - the same for a caller that has counted the edges into each node n: @counts[n + 2], by malloc,
 * with 0 in the two entries before. Takes @counts in every case. */
int graph_reverse_counted(struct graph *graph, uint32_t *counts);

/* graph_more_nodes, graph_more_edges - internal: make room for one more. */
int graph_more_nodes(struct graph *graph);
int graph_more_edges(struct graph *graph);

static inline int graph_begin_node(struct graph *graph)
{
	int r = graph->nodes == graph->node_room ? graph_more_nodes(graph) : 0;

	if (r >= 0)
		graph->first[graph->nodes++] = graph->edges;
	return r;
}

static inline int graph_edge(struct graph *graph, uint32_t target)
{
	int r = graph->edges == graph->edge_room ? graph_more_edges(graph) : 0;

	if (r >= 0)
		graph->target[graph->edges++] = target;
	return r;
}

#endif
