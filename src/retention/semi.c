/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Semi-NCA (Georgiadis, "Linear-Time Algorithms for Dominators and Related Problems", 2005) on the nodes that have
 * out-edges or several sources; a leaf with one source, which half of a heap is, falls to that. Everything after
 * the search works on preorder numbers, not nodes.
 *
 * ROOT is itself the super-root and has an edge to FORK: what both reach then falls to ROOT, as the contract wants.
 * ROOT has number 0, and with it all that is not @behind anything: one node as far as the rest is concerned. Edges into
 * NODE_ROOT nodes, and into what that one node refers to, are dropped: ROOT points there directly, so no path that uses
 * them avoids a node that the shorter one passes.
 *
 * The textbook's climb from parent to semidominator is linear in the depth, and a linked list of a million nodes
 * makes that quadratic. Ancestors are therefore searched with skew-binary jumps (one more pointer and the depth of
 * each node). Taking leaves out of the search altogether and asking for the nearest common dominator of their
 * sources was slower on deep heaps.
 */
#include "retention/semi.h"

#include <errno.h>
#include <stdlib.h>

#define START NODE_VIRTUAL_ROOT
#define AHEAD 8u  /* numbers between asking for a cache line and using it */

struct link {
	union { uint32_t ancestor, jump; };  /* ancestor: while semidominators are computed */
	union { uint32_t label, depth; };    /* label: lowest semidominator on the way to @ancestor, exclusive */
};

struct semi {
	const struct graph *graph;
	const uint8_t *behind; /* [nodes] 0: falls to ROOT; or NULL: nothing does */
	uint32_t *number;   /* [nodes] preorder number; NODE_NONE without one, START where the search begins */
	uint32_t *stack;
	uint32_t count;     /* numbers given */
	uint32_t fork;      /* number of FORK */
	uint32_t *vertex;   /* [count] node of a number */
	uint32_t *dominator;/* [count] the search tree's parent, later the immediate dominator */
	struct link *link;  /* [count] */
	uint32_t *semi;     /* [count], behind @link; the two are the search's stack before that */
};

static bool leaf(const struct graph *graph, uint32_t node)
{
	return graph->first[node] == graph->first[node + 1];
}

/* A leaf that falls to its only source, or that nothing refers to. */
static bool simple(const struct graph *graph, uint32_t node)
{
	return leaf(graph, node) && graph->reverse_first[node + 1] - graph->reverse_first[node] < 2;
}

static bool aside(const struct semi *semi, uint32_t node)
{
	return semi->behind && !semi->behind[node];
}

/* Does ROOT point there, itself or from what falls to it? */
static bool under_root(const struct semi *semi, uint32_t node)
{
	const struct graph *graph = semi->graph;

	if (graph->flags[node] & NODE_ROOT)
		return true;
	for (uint32_t edge = graph->reverse_first[node]; semi->behind && edge < graph->reverse_first[node + 1]; edge++)
		if (aside(semi, graph->source[edge]))
			return true;
	return false;
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

struct frame { uint32_t edge, end, number; };

_Static_assert(sizeof(struct frame) <= sizeof(struct link) + sizeof(uint32_t), "it lies where link and semi will");

/* Depth first from @start, a child of the number @parent. @closed has a bit for every node that is not to be
 * entered: it is small enough for the cache where the numbers are not. */
static void search(struct semi *semi, uint64_t *closed, uint32_t start, uint32_t parent)
{
	const struct graph *graph = semi->graph;
	struct frame *frames = (struct frame *)semi->link, *frame = frames;

	closed[start / 64] |= UINT64_C(1) << start % 64;
	*frame = (struct frame){ graph->first[start], graph->first[start + 1], enter(semi, start, parent) };
	for (;;) {
		uint32_t node, number;
		uint64_t bit;

		if (frame->edge == frame->end) {
			if (frame == frames)
				return;
			frame--;
			continue;
		}
		node = graph->target[frame->edge++];
		bit = UINT64_C(1) << node % 64;
		if (closed[node / 64] & bit)
			continue;
		closed[node / 64] |= bit;
		number = enter(semi, node, frame->number);
		if (!leaf(graph, node))
			*++frame = (struct frame){ graph->first[node], graph->first[node + 1], number };
	}
}

static void number_nodes(struct semi *semi, uint64_t *closed)
{
	const struct graph *graph = semi->graph;

	enter(semi, NODE_VIRTUAL_ROOT, 0);
	for (uint32_t node = 0; node < graph->nodes; node++)
		if (semi->number[node] == START)
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

/* The parent of a simple leaf. */
static uint32_t only_source(const struct semi *semi, uint32_t node)
{
	const struct graph *graph = semi->graph;
	uint32_t edge = graph->reverse_first[node];
	bool held = edge < graph->reverse_first[node + 1] && semi->number[graph->source[edge]] != NODE_NONE;

	if (graph->flags[node] & NODE_ROOT || (held && graph->flags[node] & NODE_REGISTRATION) ||
	    (held && aside(semi, graph->source[edge])))
		return NODE_VIRTUAL_ROOT;
	if (graph->flags[node] & NODE_REGISTRATION)
		return NODE_VIRTUAL_FORK;
	return held ? graph->source[edge] : NODE_NONE;
}

static void name_parents(const struct semi *semi, uint32_t *parent)
{
	const struct graph *graph = semi->graph;

	for (uint32_t node = 0; node < graph->nodes; node++) {
		uint32_t number = semi->number[node];

		if (number != NODE_NONE)
			parent[node] = semi->vertex[semi->dominator[number]];
		else
			parent[node] = simple(graph, node) ? only_source(semi, node) : NODE_NONE;
	}
}

int semi_dominators(const struct graph *graph, const uint8_t *behind, uint32_t *parent, uint32_t *number,
		    uint32_t *stack)
{
	struct semi semi = { .graph = graph, .behind = behind, .number = number, .stack = stack };
	uint64_t *closed = calloc((size_t)graph->nodes / 64 + 1, sizeof(*closed));
	size_t room = 2;  /* ROOT and FORK */
	int r = -ENOMEM;

	if (!closed)
		return -ENOMEM;
	for (uint32_t node = 0; node < graph->nodes; node++) {
		bool away = aside(&semi, node), skip = away || simple(graph, node);

		number[node] = away ? 0 : !skip && under_root(&semi, node) ? START : NODE_NONE;
		room += !skip;
		if (skip || number[node] == START)
			closed[node / 64] |= UINT64_C(1) << node % 64;
	}
	semi.vertex = malloc(room * sizeof(*semi.vertex));
	semi.dominator = malloc(room * sizeof(*semi.dominator));
	semi.link = malloc(room * (sizeof(*semi.link) + sizeof(*semi.semi)));
	if (semi.vertex && semi.dominator && semi.link) {
		semi.semi = (uint32_t *)(semi.link + room);
		number_nodes(&semi, closed);
		compute_semi(&semi);
		compute_dominators(&semi);
		name_parents(&semi, parent);
		r = 0;
	}
	free(closed);
	free(semi.vertex);
	free(semi.dominator);
	free(semi.link);
	return r;
}
