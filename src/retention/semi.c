/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Semi-NCA (Georgiadis, "Linear-Time Algorithms for Dominators and Related Problems", 2005) on the nodes that have
 * out-edges; a leaf's dominator is the nearest common dominator of its sources, so more than half of a heap never
 * enters the search. Everything after the search works on preorder numbers, not nodes.
 *
 * ROOT is itself the super-root and has an edge to FORK: what both reach then falls to ROOT, as the contract wants.
 * ROOT has number 0. Edges into NODE_ROOT nodes are dropped: ROOT points there directly, so no path that uses them avoids a
 * node that the shorter one passes.
 *
 * The textbook's climb from parent to semidominator is linear in the depth, and a linked list of a million nodes makes that
 * quadratic. Ancestors are therefore searched with skew-binary jumps (one more pointer and the depth of each node).
 */
#include "retention/semi.h"

#include <errno.h>
#include <stdlib.h>

#define AHEAD 8u  /* numbers between asking for a cache line and using it */

struct link {
	union { uint32_t ancestor, jump; };  /* ancestor: while semidominators are computed */
	union { uint32_t label, depth; };    /* label: lowest semidominator on the way to @ancestor, exclusive */
};

struct semi {
	const struct graph *graph;
	uint32_t *number;   /* [nodes] preorder number, NODE_NONE for leaves and the unreachable */
	uint32_t *stack;
	uint32_t count;     /* numbers given */
	uint32_t fork;      /* number of FORK */
	uint32_t *vertex;   /* [count] node of a number */
	uint32_t *dominator;/* [count] the search tree's parent, later the immediate dominator */
	uint32_t *semi;     /* [count] */
	struct link *link;  /* [count]; during the search its stack */
};

static bool leaf(const struct graph *graph, uint32_t node)
{
	return graph->first[node] == graph->first[node + 1];
}

static uint32_t enter(struct semi *semi, uint32_t node, uint32_t parent)
{
	uint32_t number = semi->count++;

	semi->vertex[number] = node;
	semi->dominator[number] = parent;
	if (node < NODE_VIRTUAL_FORK)
		semi->number[node] = number;
	return number;
}

/* Depth first from @start, a child of the number @parent. @closed has a bit for every node that is not to be entered: it is
 * small enough for the cache where the numbers are not. */
static void search(struct semi *semi, uint64_t *closed, uint32_t start, uint32_t parent)
{
	const struct graph *graph = semi->graph;
	struct frame { uint32_t edge, number; } *frames = (struct frame *)semi->link;
	uint32_t depth = 0;

	closed[start / 64] |= UINT64_C(1) << start % 64;
	frames[0] = (struct frame){ graph->first[start], enter(semi, start, parent) };
	for (;;) {
		uint32_t number = frames[depth].number, end = graph->first[semi->vertex[number] + 1];
		uint32_t edge = frames[depth].edge, node = NODE_NONE;

		for (; edge < end; edge++) {
			uint64_t bit;

			node = graph->target[edge];
			bit = UINT64_C(1) << node % 64;
			if (!(closed[node / 64] & bit)) {
				closed[node / 64] |= bit;
				break;
			}
		}
		if (edge < end) {
			frames[depth].edge = edge + 1;
			depth++;
			frames[depth] = (struct frame){ graph->first[node], enter(semi, node, number) };
		} else if (!depth--) {
			return;
		}
	}
}

static void number_nodes(struct semi *semi, uint64_t *closed)
{
	const struct graph *graph = semi->graph;

	enter(semi, NODE_VIRTUAL_ROOT, 0);
	for (uint32_t node = 0; node < graph->nodes; node++)
		if (graph->flags[node] & NODE_ROOT && !leaf(graph, node))
			search(semi, closed, node, 0);
	semi->fork = enter(semi, NODE_VIRTUAL_FORK, 0);
	for (uint32_t node = 0; node < graph->nodes; node++)
		if (graph->flags[node] & NODE_REGISTRATION && !(closed[node / 64] >> node % 64 & 1))
			search(semi, closed, node, semi->fork);
}

/* The lowest semidominator on the linked path from @number (which is above @limit), with path compression. */
static uint32_t lowest(struct semi *semi, uint32_t number, uint32_t limit)
{
	struct link *link = semi->link;
	uint32_t depth = 0, above, label;

	if (link[number].ancestor <= limit)
		return link[number].label;
	do {
		semi->stack[depth++] = number;
		number = link[number].ancestor;
	} while (link[number].ancestor > limit);
	above = link[number].ancestor;
	label = link[number].label;
	while (depth) {
		struct link *lower = &link[semi->stack[--depth]];

		lower->ancestor = above;
		if (label < lower->label)
			lower->label = label;
		else
			label = lower->label;
	}
	return label;
}

static uint32_t semidominator(struct semi *semi, uint32_t number)
{
	const struct graph *graph = semi->graph;
	uint32_t node = semi->vertex[number], best = semi->dominator[number];

	if (number == semi->fork || graph->flags[node] & NODE_ROOT)
		return 0;
	if (graph->flags[node] & NODE_REGISTRATION) {
		uint32_t value = semi->fork < number ? semi->fork : lowest(semi, semi->fork, number);

		best = value < best ? value : best;
	}
	for (uint32_t edge = graph->reverse_first[node]; best && edge < graph->reverse_first[node + 1]; edge++) {
		uint32_t value = semi->number[graph->source[edge]];

		if (value == NODE_NONE)
			continue;
		if (value > number)
			value = lowest(semi, value, number);
		if (value < best)
			best = value;
	}
	return best;
}

static void compute_semi(struct semi *semi)
{
	const struct graph *graph = semi->graph;

	for (uint32_t number = 1; number < semi->count; number++)
		semi->link[number].ancestor = semi->dominator[number];
	for (uint32_t number = semi->count; number-- > 1;) {
		if (number > 2 * AHEAD) {
			uint32_t far = semi->vertex[number - 2 * AHEAD], near = semi->vertex[number - AHEAD];

			if (far < NODE_VIRTUAL_FORK) {
				__builtin_prefetch(&graph->reverse_first[far]);
				__builtin_prefetch(&graph->flags[far]);
			}
			if (near < NODE_VIRTUAL_FORK)
				__builtin_prefetch(&graph->source[graph->reverse_first[near]]);
		}
		semi->semi[number] = semidominator(semi, number);
		semi->link[number].label = semi->semi[number];
	}
}

/* The nearest dominator of @number, or itself, that is not above @limit. */
static uint32_t climb(const struct semi *semi, uint32_t number, uint32_t limit)
{
	while (number > limit)
		number = semi->link[number].jump > limit ? semi->link[number].jump : semi->dominator[number];
	return number;
}

static void compute_dominators(struct semi *semi)
{
	struct link *link = semi->link;

	link[0] = (struct link){ .jump = 0, .depth = 0 };
	for (uint32_t number = 1; number < semi->count; number++) {
		uint32_t above = climb(semi, semi->dominator[number], semi->semi[number]);
		uint32_t jump = link[above].jump, far = link[jump].jump;
		bool longer = link[above].depth - link[jump].depth == link[jump].depth - link[far].depth;

		semi->dominator[number] = above;
		link[number].jump = longer ? far : above;
		link[number].depth = link[above].depth + 1;
	}
}

static uint32_t common(const struct semi *semi, uint32_t a, uint32_t b)
{
	const struct link *link = semi->link;

	if (link[a].depth < link[b].depth) {
		uint32_t other = a;

		a = b;
		b = other;
	}
	while (link[a].depth > link[b].depth)
		a = link[link[a].jump].depth >= link[b].depth ? link[a].jump : semi->dominator[a];
	while (a != b) {  /* jumps from equal depths are equally long */
		bool jump = link[a].jump != link[b].jump;

		a = jump ? link[a].jump : semi->dominator[a];
		b = jump ? link[b].jump : semi->dominator[b];
	}
	return a;
}

static uint32_t leaf_dominator(const struct semi *semi, uint32_t node)
{
	const struct graph *graph = semi->graph;
	uint32_t found = graph->flags[node] & NODE_REGISTRATION ? semi->fork : NODE_NONE;

	if (graph->flags[node] & NODE_ROOT)
		return 0;
	for (uint32_t edge = graph->reverse_first[node]; found && edge < graph->reverse_first[node + 1]; edge++) {
		uint32_t number = semi->number[graph->source[edge]];

		if (number == NODE_NONE || number == found)
			continue;
		found = found == NODE_NONE ? number : common(semi, found, number);
	}
	return found;
}

static void name_parents(const struct semi *semi, uint32_t *parent)
{
	const struct graph *graph = semi->graph;

	for (uint32_t node = 0; node < graph->nodes; node++) {
		uint32_t number = semi->number[node], above = NODE_NONE;

		if (leaf(graph, node))
			above = leaf_dominator(semi, node);
		else if (number != NODE_NONE)
			above = semi->dominator[number];
		parent[node] = above == NODE_NONE ? NODE_NONE : semi->vertex[above];
	}
}

int semi_dominators(const struct graph *graph, uint32_t *parent, uint32_t *number, uint32_t *stack)
{
	struct semi semi = { .graph = graph, .number = number, .stack = stack };
	uint64_t *closed = calloc((size_t)graph->nodes / 64 + 1, sizeof(*closed));
	size_t inner = 2;  /* ROOT and FORK */
	int r = -ENOMEM;

	if (!closed)
		return -ENOMEM;
	for (uint32_t node = 0; node < graph->nodes; node++) {
		bool skip = leaf(graph, node);

		number[node] = NODE_NONE;
		inner += !skip;
		if (skip || graph->flags[node] & NODE_ROOT)
			closed[node / 64] |= UINT64_C(1) << node % 64;
	}
	semi.vertex = malloc(inner * sizeof(*semi.vertex));
	semi.dominator = malloc(inner * sizeof(*semi.dominator));
	semi.semi = malloc(inner * sizeof(*semi.semi));
	semi.link = malloc(inner * sizeof(*semi.link));
	if (semi.vertex && semi.dominator && semi.semi && semi.link) {
		number_nodes(&semi, closed);
		compute_semi(&semi);
		compute_dominators(&semi);
		name_parents(&semi, parent);
		r = 0;
	}
	free(closed);
	free(semi.vertex);
	free(semi.dominator);
	free(semi.semi);
	free(semi.link);
	return r;
}
