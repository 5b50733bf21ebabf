/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024u
#define AHEAD 16u  /* edges between asking for a cache line and using it */
#define EDGES_MAX (UINT32_MAX - 1)
#define NODES_MAX (NODE_VIRTUAL_FORK - 1)

void graph_init(struct graph *graph)
{
	memset(graph, 0, sizeof(*graph));
}

void graph_finish(struct graph *graph)
{
	free(graph->first);
	free(graph->target);
	free(graph->reverse_first);
	free(graph->source);
	free(graph->flags);
	graph_init(graph);
}

/* Half as much again each time: the untouched tail of a big block costs no memory, but a memory cap counts it. */
static uint32_t room_after(uint32_t room, uint32_t max)
{
	uint64_t larger = room ? (uint64_t)room + room / 2 : FIRST_ROOM;

	return larger > max ? max : (uint32_t)larger;
}

static int enlarge(uint32_t **array, uint32_t *room, uint32_t larger, uint32_t extra)
{
	uint32_t *moved = realloc(*array, ((size_t)larger + extra) * sizeof(**array));

	if (!moved)
		return -ENOMEM;
	*array = moved;
	*room = larger;
	return 0;
}

int graph_more_nodes(struct graph *graph)
{
	if (graph->node_room == NODES_MAX)
		return -EOVERFLOW;
	return enlarge(&graph->first, &graph->node_room, room_after(graph->node_room, NODES_MAX), 1);
}

int graph_more_edges(struct graph *graph)
{
	if (graph->edge_room == EDGES_MAX)
		return -EOVERFLOW;
	return enlarge(&graph->target, &graph->edge_room, room_after(graph->edge_room, EDGES_MAX), 0);
}

int graph_reserve(struct graph *graph, uint64_t nodes, uint64_t edges)
{
	int r = 0;

	nodes = nodes < NODES_MAX ? nodes : NODES_MAX;
	edges = edges < EDGES_MAX ? edges : EDGES_MAX;
	if (nodes > graph->node_room)
		r = enlarge(&graph->first, &graph->node_room, (uint32_t)nodes, 1);
	if (!r && edges > graph->edge_room)
		r = enlarge(&graph->target, &graph->edge_room, (uint32_t)edges, 0);
	return r;
}

int graph_end(struct graph *graph)
{
	if (!graph->first) {
		graph->first = malloc(sizeof(*graph->first));
		if (!graph->first)
			return -ENOMEM;
	}
	graph->first[graph->nodes] = graph->edges;
	for (uint32_t edge = 0; edge < graph->edges; edge++)
		if (graph->target[edge] >= graph->nodes)
			return -EINVAL;
	if (!graph->flags)
		graph->flags = calloc((size_t)graph->nodes + 1, 1);
	return graph->flags ? 0 : -ENOMEM;
}

/* Counts are kept two places up, so that after the running sum the scatter can use the entry one place up as its cursor
 * and leave the finished index behind. */
int graph_reverse_counted(struct graph *graph, uint32_t *counts)
{
	uint32_t *source = malloc(((size_t)graph->edges + 1) * sizeof(*source)), sum = 0;

	if (!source) {
		free(counts);
		return -ENOMEM;
	}
	for (uint32_t node = 0; node < graph->nodes; node++) {
		sum += counts[node + 2];
		counts[node + 2] = sum;
	}
	for (uint32_t node = 0; node < graph->nodes; node++) {
		for (uint32_t edge = graph->first[node]; edge < graph->first[node + 1]; edge++) {
			if (edge + AHEAD < graph->edges)
				__builtin_prefetch(&counts[graph->target[edge + AHEAD] + 1], 1);
			source[counts[graph->target[edge] + 1]++] = node;
		}
	}
	graph->reverse_first = counts;
	graph->source = source;
	return 0;
}

int graph_reverse(struct graph *graph)
{
	uint32_t *counts;

	if (graph->source)
		return 0;
	counts = calloc((size_t)graph->nodes + 2, sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	for (uint32_t edge = 0; edge < graph->edges; edge++)
		counts[graph->target[edge] + 2]++;
	return graph_reverse_counted(graph, counts);
}
