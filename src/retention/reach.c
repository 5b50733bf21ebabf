/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/reach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A chain must lead to a real root. A class that lives only through an instance is a namespace that ROOT reaches,
 * yet a path that starts at the class and runs through that instance goes round in a circle: nothing in it holds
 * the rest. So every seed of the first wave remembers how ROOT reached it (@real); from each, the chain is followed
 * on through these links, and where it comes back to itself, the node of the circle that is nearest to ROOT is put
 * on its real path.
 */
struct chains {
	const struct graph *graph;
	uint8_t *state;          /* [nodes] REACH_ROOT, or an enum chain_state */
	const uint32_t *real;    /* [nodes] previous node on a shortest path from ROOT */
	uint32_t *parent;
	uint32_t *walked;        /* [nodes] scratch */
};

/* Marks beside those of enum reach, gone when reach_mark returns. */
enum chain_state { CHAIN_REAL = REACH_ROOT + 1, CHAIN_HERE, CHAIN_GOOD };
#define HELD 0xffu  /* not reached yet, and to be held up when it is */

static uint32_t above(const struct chains *chains, uint32_t node)
{
	return chains->graph->flags[node] & NODE_NAMESPACE ? chains->real[node] : chains->parent[node];
}

static uint32_t real_depth(const struct chains *chains, uint32_t node)
{
	uint32_t depth = 0;

	for (; chains->real[node] != NODE_NONE; node = chains->real[node])
		depth++;
	return depth;
}

/* Put the topmost node of the circle through @node on its real path; returns that node. It is no namespace: those have
 * a node of the circle above them that is nearer to ROOT. */
static uint32_t cut_circle(const struct chains *chains, uint32_t node)
{
	uint32_t top = node, best = real_depth(chains, node);

	for (uint32_t next = above(chains, node); next != node; next = above(chains, next)) {
		uint32_t depth = real_depth(chains, next);

		if (depth < best) {
			top = next;
			best = depth;
		}
	}
	chains->parent[top] = chains->real[top];
	return top;
}

static void follow(const struct chains *chains, uint32_t start)
{
	uint32_t count = 0, node = start;

	while (node != NODE_NONE && chains->state[node] != CHAIN_GOOD) {
		if (chains->state[node] == CHAIN_HERE)
			node = cut_circle(chains, node);
		else
			chains->walked[count++] = node;
		chains->state[node] = CHAIN_HERE;
		node = above(chains, node);
	}
	while (count)
		chains->state[chains->walked[--count]] = CHAIN_GOOD;
}

static void straighten(const struct chains *chains)
{
	const struct graph *graph = chains->graph;

	for (uint32_t node = 0; node < graph->nodes; node++)
		if (graph->flags[node] & NODE_NAMESPACE && chains->state[node] == REACH_ROOT)
			follow(chains, node);
	for (uint32_t node = 0; node < graph->nodes; node++)
		if (chains->state[node] > REACH_ROOT)
			chains->state[node] = REACH_ROOT;
}

#define AHEAD 8u    /* places in the queue between asking for a cache line and using it */
#define TARGETS 8u  /* of a node, most whose marks are asked for */

struct wave {
	const struct graph *graph;
	uint8_t *mark;     /* [nodes] */
	uint32_t *parent;  /* [nodes] or NULL */
	uint32_t *queue;   /* [nodes] */
	uint32_t tail;
	uint32_t held;     /* nodes held up, at the queue's end */
};

static void wave_add(struct wave *wave, uint32_t node, uint32_t parent, uint8_t mark)
{
	wave->mark[node] = mark;
	if (wave->parent)
		wave->parent[node] = parent;
	wave->queue[wave->tail++] = node;
}

static void wave_hold(struct wave *wave, uint32_t node, uint32_t parent, uint8_t mark)
{
	wave->mark[node] = mark;
	wave->parent[node] = parent;
	wave->queue[wave->graph->nodes - ++wave->held] = node;
}

/* Ask for what the queue's places from @head on will need: each as soon as what leads to it has come. */
static inline void wave_ask(const struct wave *wave, uint32_t head)
{
	const struct graph *graph = wave->graph;

	if (head + 3 * AHEAD < wave->tail)
		__builtin_prefetch(&graph->first[wave->queue[head + 3 * AHEAD]]);
	if (head + 2 * AHEAD < wave->tail)
		__builtin_prefetch(&graph->target[graph->first[wave->queue[head + 2 * AHEAD]]]);
	if (head + AHEAD < wave->tail) {
		uint32_t node = wave->queue[head + AHEAD], first = graph->first[node], end = graph->first[node + 1];

		for (uint32_t edge = first; edge < end && edge - first < TARGETS; edge++)
			__builtin_prefetch(&wave->mark[graph->target[edge]], 1);
	}
}

/* Breadth first over nodes marked @from, from those in the queue; marks them @to. */
static void wave_spread(struct wave *wave, uint8_t from, uint8_t to)
{
	const struct graph *graph = wave->graph;

	for (uint32_t head = 0; head < wave->tail; head++) {
		uint32_t node = wave->queue[head];

		wave_ask(wave, head);
		for (uint32_t edge = graph->first[node]; edge < graph->first[node + 1]; edge++) {
			uint32_t target = graph->target[edge];

			if (wave->mark[target] == from)
				wave_add(wave, target, node, to);
			else if (wave->mark[target] == HELD)
				wave_hold(wave, target, node, to);
		}
	}
	wave->tail = 0;
}

/* The same from the nodes with any of @flags. */
static void wave_run(struct wave *wave, uint8_t flags, uint8_t from, uint8_t to)
{
	const struct graph *graph = wave->graph;

	for (uint32_t node = 0; node < graph->nodes; node++) {
		if (!(graph->flags[node] & flags))
			continue;
		if (wave->mark[node] == from)
			wave_add(wave, node, NODE_NONE, to);
		else if (wave->mark[node] == HELD)
			wave_hold(wave, node, NODE_NONE, to);
	}
	wave_spread(wave, from, to);
}

/* All that ROOT reaches: first past the held nodes, which is noted in @behind, then through them. */
static void mark_real(struct wave *wave, uint8_t *behind)
{
	uint32_t nodes = wave->graph->nodes;

	for (uint32_t node = 0; behind && node < nodes; node++)
		if (behind[node])
			wave->mark[node] = HELD;
	wave_run(wave, NODE_ROOT, REACH_NONE, CHAIN_REAL);
	if (!behind)
		return;
	for (uint32_t node = 0; node < nodes; node++)
		behind[node] |= wave->mark[node] != CHAIN_REAL;
	while (wave->held) {
		memmove(wave->queue, wave->queue + (nodes - wave->held), wave->held * sizeof(*wave->queue));
		wave->tail = wave->held;
		wave->held = 0;
		wave_spread(wave, REACH_NONE, CHAIN_REAL);
	}
	for (uint32_t node = 0; node < nodes; node++)
		if (wave->mark[node] == HELD)
			wave->mark[node] = REACH_NONE;
}

/* All that ROOT reaches, first along real paths, then again from its namespaces and from what they do not reach. */
static int mark_root(struct wave *wave, uint32_t *parent, uint8_t *behind)
{
	uint32_t *real = malloc(((size_t)wave->graph->nodes + 1) * sizeof(*real));
	struct chains chains = { wave->graph, wave->mark, real, parent, wave->queue };

	if (!real)
		return -ENOMEM;
	wave->parent = real;
	mark_real(wave, behind);
	wave->parent = parent;
	wave_run(wave, NODE_NAMESPACE, CHAIN_REAL, REACH_ROOT);
	wave_run(wave, NODE_ROOT, CHAIN_REAL, REACH_ROOT);
	straighten(&chains);
	free(real);
	return 0;
}

int reach_mark(const struct graph *graph, uint8_t *reach, uint32_t *parent)
{
	return reach_mark_behind(graph, reach, parent, NULL);
}

int reach_mark_behind(const struct graph *graph, uint8_t *reach, uint32_t *parent, uint8_t *behind)
{
	struct wave wave = { .graph = graph, .mark = reach };
	int r = 0;

	wave.queue = malloc(((size_t)graph->nodes + 1) * sizeof(*wave.queue));
	if (!wave.queue)
		return -ENOMEM;
	memset(reach, REACH_NONE, graph->nodes);
	if (parent) {
		memset(parent, 0xff, (size_t)graph->nodes * sizeof(*parent));
		r = mark_root(&wave, parent, behind);
	} else {
		wave_run(&wave, NODE_ROOT, REACH_NONE, REACH_ROOT);
	}
	if (!r)
		wave_run(&wave, NODE_REGISTRATION, REACH_NONE, REACH_FORK);
	free(wave.queue);
	return r;
}
