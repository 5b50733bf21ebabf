/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downwards from what lets go, collect the candidates that might die (the part); keep those that something outside
 * the part holds, and what these hold. Garbage outside the part holds nothing.
 */
#include "retention/cut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "retention/sort.h"

#define LARGE_PART 64u  /* one node of so many */

enum freed_state {
	IN_PART = 1,
	KEPT = 2,
	DROPPED = 4,
	CUT_FROM = 8,  /* has a cut edge out, */
	CUT_TO = 16,   /* has one in: only between such nodes is the list searched */
};

struct reach_scratch {
	uint8_t *state;      /* [nodes] enum freed_state, all 0 between calls; room for a word behind the last */
	const uint8_t *reach; /* [nodes] enum reach: lent, or @own, or NULL until somebody asks */
	uint8_t *own;
	uint32_t *part;      /* nodes IN_PART; behind them scratch of later steps */
	uint32_t count, room;
};

struct freed {
	const struct graph *graph;
	const uint8_t *candidates;
	const struct cut_edge *cut;
	uint32_t cuts;
	struct reach_scratch *scratch;
};

struct reach_scratch *reach_scratch_new(const struct graph *graph)
{
	struct reach_scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch)
		return NULL;
	scratch->state = calloc((size_t)graph->nodes + sizeof(uint64_t), 1);
	if (!scratch->state) {
		free(scratch);
		return NULL;
	}
	return scratch;
}

void reach_scratch_free(struct reach_scratch *scratch)
{
	if (!scratch)
		return;
	free(scratch->state);
	free(scratch->own);
	free(scratch->part);
	free(scratch);
}

void reach_scratch_lend(struct reach_scratch *scratch, const uint8_t *reach)
{
	scratch->reach = reach;
}

static int push(struct reach_scratch *scratch, uint32_t node)
{
	if (scratch->count == scratch->room) {
		size_t room = scratch->room ? (size_t)scratch->room * 2 : 256;
		uint32_t *part = realloc(scratch->part, room * sizeof(*part));

		if (!part)
			return -ENOMEM;
		scratch->part = part;
		scratch->room = room > UINT32_MAX ? UINT32_MAX : (uint32_t)room;
	}
	scratch->part[scratch->count++] = node;
	return 0;
}

/* Sources are in order. */
static bool exists(const struct graph *graph, const struct cut_edge *edge)
{
	uint32_t low = graph->reverse_first[edge->to], high = graph->reverse_first[edge->to + 1], end = high;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (graph->source[middle] < edge->from)
			low = middle + 1;
		else
			high = middle;
	}
	return low < end && graph->source[low] == edge->from;
}

static bool is_cut(const struct freed *freed, uint32_t from, uint32_t to)
{
	const uint8_t *state = freed->scratch->state;

	return state[from] & CUT_FROM && state[to] & CUT_TO && cut_has(freed->cut, freed->cuts, from, to);
}

/* Out of reach of what goes: never part of it. A registration is until it is dropped. */
static bool aloof(const struct freed *freed, uint32_t node)
{
	if (freed->scratch->state[node] & DROPPED)
		return false;
	return !freed->candidates[node] || freed->graph->flags[node] & (NODE_ROOT | NODE_REGISTRATION);
}

/* Return: 1 if @node is held by something before anything goes, 0 if it is garbage, or -ENOMEM. */
static int lived(const struct freed *freed, uint32_t node)
{
	struct reach_scratch *scratch = freed->scratch;

	if (!scratch->reach) {
		if (!scratch->own)
			scratch->own = malloc((size_t)freed->graph->nodes + 1);
		if (!scratch->own || reach_mark(freed->graph, scratch->own, NULL) < 0)
			return -ENOMEM;
		scratch->reach = scratch->own;
	}
	return scratch->reach[node] != REACH_NONE;
}

/* Does @source keep @node alive, by what is known so far of the part? Return: 1, 0 or -ENOMEM. */
static int keeps(const struct freed *freed, uint32_t source, uint32_t node)
{
	uint8_t state = freed->scratch->state[source];

	if (state & (IN_PART | DROPPED) && !(state & KEPT))
		return 0;
	if (is_cut(freed, source, node))
		return 0;
	return state & KEPT ? 1 : lived(freed, source);
}

/* Put @node into the part. What something aloof or kept holds is not worth going below: it stays, and what hangs
 * off it. */
static int consider(const struct freed *freed, uint32_t node)
{
	const struct graph *graph = freed->graph;
	uint8_t *state = freed->scratch->state;
	int r;

	if (state[node] & (IN_PART | DROPPED) || aloof(freed, node))
		return 0;
	r = push(freed->scratch, node);
	if (r < 0)
		return r;
	state[node] |= IN_PART;
	for (uint32_t edge = graph->reverse_first[node]; edge < graph->reverse_first[node + 1] && !r; edge++) {
		uint32_t source = graph->source[edge];

		if (state[source] & KEPT || aloof(freed, source))
			r = keeps(freed, source, node);
	}
	if (r > 0)
		state[node] |= KEPT;
	return r < 0 ? r : 0;
}

static int consider_targets(const struct freed *freed, uint32_t node)
{
	const struct graph *graph = freed->graph;

	for (uint32_t edge = graph->first[node]; edge < graph->first[node + 1]; edge++) {
		int r = consider(freed, graph->target[edge]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int collect_part(const struct freed *freed, const uint32_t *dropped, uint32_t drops)
{
	struct reach_scratch *scratch = freed->scratch;
	int r = 0;

	for (uint32_t i = 0; i < drops && r >= 0; i++)
		if (scratch->state[dropped[i]] & DROPPED)
			r = consider_targets(freed, dropped[i]);
	for (uint32_t i = 0; i < freed->cuts && r >= 0; i++) {
		r = exists(freed->graph, &freed->cut[i]) ? lived(freed, freed->cut[i].from) : 0;
		if (r > 0)
			r = consider(freed, freed->cut[i].to);
	}
	for (uint32_t i = 0; i < scratch->count && r >= 0; i++)
		if (!(scratch->state[scratch->part[i]] & KEPT))
			r = consider_targets(freed, scratch->part[i]);
	return r;
}

static int held(const struct freed *freed, uint32_t node)
{
	const struct graph *graph = freed->graph;
	int r = 0;

	for (uint32_t edge = graph->reverse_first[node]; edge < graph->reverse_first[node + 1] && !r; edge++)
		r = keeps(freed, graph->source[edge], node);
	return r;
}

/* What a kept node holds is kept. @part doubles as the stack: kept nodes are pushed behind its @count nodes. */
static int keep(const struct freed *freed, uint32_t count)
{
	const struct graph *graph = freed->graph;
	struct reach_scratch *scratch = freed->scratch;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t node = scratch->part[i];
		int r = scratch->state[node] & KEPT ? 1 : held(freed, node);

		if (r > 0) {
			scratch->state[node] |= KEPT;
			r = push(scratch, node);
		}
		if (r < 0)
			return r;
		while (scratch->count > count) {
			node = scratch->part[--scratch->count];
			for (uint32_t edge = graph->first[node]; edge < graph->first[node + 1]; edge++) {
				uint32_t target = graph->target[edge];

				if ((scratch->state[target] & (IN_PART | KEPT)) != IN_PART ||
				    is_cut(freed, node, target))
					continue;
				scratch->state[target] |= KEPT;
				r = push(scratch, target);
				if (r < 0)
					return r;
			}
		}
	}
	return 0;
}

/* Bring the first @count nodes of the part, each there once, in the order of their numbers. */
static int sort_part(struct reach_scratch *scratch, uint32_t count)
{
	for (scratch->count = count; count > SORT_FEW && scratch->count < 2 * (uint64_t)count;)
		if (push(scratch, 0) < 0)
			return -ENOMEM;
	sort_nodes(scratch->part, count, count > SORT_FEW ? scratch->part + count : NULL);
	return 0;
}

/* The same by way of the flags of all nodes, none of which is set: cheaper where the part is no small share of them. */
static void sort_large_part(struct reach_scratch *scratch, uint32_t count)
{
	uint8_t *state = scratch->state;
	uint32_t found = 0, node = 0;
	uint64_t eight;

	for (uint32_t i = 0; i < count; i++)
		state[scratch->part[i]] = IN_PART;
	while (found < count) {
		memcpy(&eight, state + node, sizeof(eight));
		if (!eight) {
			node += sizeof(eight);
			continue;
		}
		if (state[node])
			scratch->part[found++] = node;
		state[node++] = 0;
	}
}

static void flag_loss(const struct freed *freed, const uint32_t *dropped, uint32_t drops)
{
	uint8_t *state = freed->scratch->state;

	for (uint32_t i = 0; i < drops; i++)
		if (!(freed->graph->flags[dropped[i]] & NODE_ROOT))
			state[dropped[i]] |= DROPPED;
	for (uint32_t i = 0; i < freed->cuts; i++) {
		state[freed->cut[i].from] |= CUT_FROM;
		state[freed->cut[i].to] |= CUT_TO;
	}
}

/* Clear all flags and keep what died of @part in it, still in no order. Returns their number. */
static uint32_t clear(const struct freed *freed, const uint32_t *dropped, uint32_t drops, uint32_t count)
{
	struct reach_scratch *scratch = freed->scratch;
	uint32_t dead = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t node = scratch->part[i];

		if (!(scratch->state[node] & KEPT))
			scratch->part[dead++] = node;
		scratch->state[node] = 0;
	}
	for (uint32_t i = 0; i < drops; i++)
		scratch->state[dropped[i]] = 0;
	for (uint32_t i = 0; i < freed->cuts; i++) {
		scratch->state[freed->cut[i].from] = 0;
		scratch->state[freed->cut[i].to] = 0;
	}
	return dead;
}

int64_t reach_freed(const struct graph *graph, const uint8_t *candidates, const uint32_t *dropped, uint32_t drops,
		    const struct cut_edge *cut, uint32_t cuts, struct reach_scratch *scratch,
		    void (*dies)(void *context, uint32_t node), void *context)
{
	struct freed freed = { graph, candidates, cut, cuts, scratch };
	uint32_t count, dead;
	int r;

	scratch->count = 0;
	flag_loss(&freed, dropped, drops);
	r = collect_part(&freed, dropped, drops);
	count = scratch->count;
	if (r >= 0)
		r = keep(&freed, count);
	dead = clear(&freed, dropped, drops, count);
	if (r >= 0 && dead > graph->nodes / LARGE_PART)
		sort_large_part(scratch, dead);
	else if (r >= 0)
		r = sort_part(scratch, dead);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < dead; i++)
		dies(context, scratch->part[i]);
	return dead;
}
