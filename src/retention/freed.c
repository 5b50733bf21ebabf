/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downwards from what lets go, collect the candidates that might die (the part); keep those that something outside the part
 * holds, and what these hold. What is outside the part and may die for other reasons counts as a holder only if it is not
 * garbage already, which is found out once, and only when somebody asks.
 */
#include "retention/cut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum freed_state {
	IN_PART = 1,
	KEPT = 2,
	DROPPED = 4,
	CUT_FROM = 8,  /* has a cut edge out, */
	CUT_TO = 16,   /* has one in: only between such nodes is the list searched */
};

struct reach_scratch {
	uint8_t *state;      /* [nodes] enum freed_state, all 0 between calls */
	uint8_t *reachable;  /* [nodes] enum reach, NULL until needed */
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
	scratch->state = calloc((size_t)graph->nodes + 1, 1);
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
	free(scratch->reachable);
	free(scratch->part);
	free(scratch);
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

/* Lives whatever is dropped or cut. A registration does until it is dropped. */
static bool stays(const struct freed *freed, uint32_t node)
{
	if (freed->scratch->state[node] & DROPPED)
		return false;
	return !freed->candidates[node] || freed->graph->flags[node] & (NODE_ROOT | NODE_REGISTRATION);
}

/* Return: 1 if @node is held by something before anything goes, 0 if it is garbage, or -ENOMEM. */
static int lived(const struct freed *freed, uint32_t node)
{
	const struct graph *graph = freed->graph;
	struct reach_scratch *scratch = freed->scratch;

	if (!scratch->reachable) {
		scratch->reachable = malloc((size_t)graph->nodes + 1);
		if (!scratch->reachable)
			return -ENOMEM;
		if (reach_mark(graph, scratch->reachable, NULL) < 0) {
			free(scratch->reachable);
			scratch->reachable = NULL;
			return -ENOMEM;
		}
	}
	return scratch->reachable[node] != REACH_NONE;
}

/* A node that something steadfast holds is not worth going below: it stays, and what hangs off it. */
static int consider(const struct freed *freed, uint32_t node)
{
	const struct graph *graph = freed->graph;
	uint8_t *state = freed->scratch->state;

	if (state[node] & (IN_PART | DROPPED) || stays(freed, node))
		return 0;
	state[node] |= IN_PART;
	for (uint32_t edge = graph->reverse_first[node]; edge < graph->reverse_first[node + 1]; edge++) {
		uint32_t source = graph->source[edge];

		if ((stays(freed, source) || state[source] & KEPT) && !is_cut(freed, source, node)) {
			state[node] |= KEPT;
			break;
		}
	}
	return push(freed->scratch, node);
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
		uint32_t from = freed->cut[i].from;

		if (!exists(freed->graph, &freed->cut[i]))
			continue;
		r = stays(freed, from) || scratch->state[from] & (IN_PART | DROPPED) ? 1 : lived(freed, from);
		if (r > 0)
			r = consider(freed, freed->cut[i].to);
	}
	for (uint32_t i = 0; i < scratch->count && r >= 0; i++)
		if (!(scratch->state[scratch->part[i]] & KEPT))
			r = consider_targets(freed, scratch->part[i]);
	return r;
}

/* Is @node held by something that is alive and outside the part, or kept? */
static int held(const struct freed *freed, uint32_t node)
{
	const struct graph *graph = freed->graph;
	const uint8_t *state = freed->scratch->state;

	for (uint32_t edge = graph->reverse_first[node]; edge < graph->reverse_first[node + 1]; edge++) {
		uint32_t source = graph->source[edge];
		int r = state[source] & KEPT ? 1 : state[source] & (IN_PART | DROPPED) ? 0 : stays(freed, source) ? 1 : -1;

		if (!r || is_cut(freed, source, node))
			continue;
		if (r < 0)
			r = lived(freed, source);
		if (r)
			return r;
	}
	return 0;
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

				if ((scratch->state[target] & (IN_PART | KEPT)) != IN_PART || is_cut(freed, node, target))
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

static void sort_few(uint32_t *part, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		uint32_t node = part[i], place = i;

		for (; place && part[place - 1] > node; place--)
			part[place] = part[place - 1];
		part[place] = node;
	}
}

/* Radix sort, 11 bits a pass; the second half of @part is its other buffer. */
static int sort_part(struct reach_scratch *scratch, uint32_t count)
{
	uint32_t *from, *to, places[2048];

	if (count <= 64) {
		sort_few(scratch->part, count);
		return 0;
	}
	for (scratch->count = count; scratch->count < 2 * (uint64_t)count;)
		if (push(scratch, 0) < 0)
			return -ENOMEM;
	from = scratch->part;
	to = from + count;
	for (unsigned shift = 0; shift < 33; shift += 11) {
		uint32_t sum = 0, *other = from;

		memset(places, 0, sizeof(places));
		for (uint32_t i = 0; i < count; i++)
			places[from[i] >> shift & 2047]++;
		for (unsigned i = 0; i < 2048; i++) {
			uint32_t here = places[i];

			places[i] = sum;
			sum += here;
		}
		for (uint32_t i = 0; i < count; i++)
			to[places[from[i] >> shift & 2047]++] = from[i];
		from = to;
		to = other;
	}
	memcpy(scratch->part, from, count * sizeof(*from));
	return 0;
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
	if (r >= 0)
		r = sort_part(scratch, dead);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < dead; i++)
		dies(context, scratch->part[i]);
	return dead;
}
