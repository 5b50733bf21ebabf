/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024u
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

static int grow(uint32_t **array, uint32_t *room, uint32_t max, uint32_t extra)
{
	uint32_t larger = room_after(*room, max);
	uint32_t *moved;

	if (*room == max)
		return -EOVERFLOW;
	moved = realloc(*array, ((size_t)larger + extra) * sizeof(**array));
	if (!moved)
		return -ENOMEM;
	*array = moved;
	*room = larger;
	return 0;
}

int graph_begin_node(struct graph *graph)
{
	if (graph->nodes == graph->node_room) {
		int r = grow(&graph->first, &graph->node_room, NODES_MAX, 1);

		if (r < 0)
			return r;
	}
	graph->first[graph->nodes++] = graph->edges;
	return 0;
}

int graph_edge(struct graph *graph, uint32_t target)
{
	if (graph->edges == graph->edge_room) {
		int r = grow(&graph->target, &graph->edge_room, EDGES_MAX, 0);

		if (r < 0)
			return r;
	}
	graph->target[graph->edges++] = target;
	return 0;
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
	graph->flags = calloc((size_t)graph->nodes + 1, 1);
	return graph->flags ? 0 : -ENOMEM;
}

int graph_reverse(struct graph *graph)
{
	uint32_t *first, *source, sum = 0;

	if (graph->source)
		return 0;
	/* One entry more than the result needs: counts are kept two places up, so that after the running sum the
	 * scatter can use the entry one place up as its cursor and leave the finished index behind. */
	first = calloc((size_t)graph->nodes + 2, sizeof(*first));
	source = malloc(((size_t)graph->edges + 1) * sizeof(*source));
	if (!first || !source) {
		free(first);
		free(source);
		return -ENOMEM;
	}
	for (uint32_t edge = 0; edge < graph->edges; edge++)
		first[graph->target[edge] + 2]++;
	for (uint32_t node = 0; node < graph->nodes; node++) {
		sum += first[node + 2];
		first[node + 2] = sum;
	}
	for (uint32_t node = 0; node < graph->nodes; node++)
		for (uint32_t edge = graph->first[node]; edge < graph->first[node + 1]; edge++)
			source[first[graph->target[edge] + 1]++] = node;
	graph->reverse_first = first;
	graph->source = source;
	return 0;
}
