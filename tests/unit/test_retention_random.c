/* SPDX-License-Identifier: Apache-2.0 */
/* Everything in src/retention against its definition, by removing and looking again, on many small random graphs. */
#include <string.h>

#include "retention/dominators.h"
#include "retention/reach.h"
#include "test_retention.h"

#define GRAPHS 20000
#define MOST 16

struct loss {
	bool root, fork;               /* whether these virtual roots are there */
	uint32_t node;                 /* removed, or NODE_NONE */
	const uint32_t *dropped;
	uint32_t drops;
	const struct cut_edge *cut;
	uint32_t cuts;
};

static bool lost(const struct loss *loss, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < loss->cuts; i++)
		if (loss->cut[i].from == from && loss->cut[i].to == to)
			return true;
	return false;
}

static bool starts(const struct graph *graph, const struct loss *loss, uint32_t node)
{
	for (uint32_t i = 0; i < loss->drops; i++)
		if (loss->dropped[i] == node)
			return false;
	return (loss->root && graph->flags[node] & NODE_ROOT) || (loss->fork && graph->flags[node] & NODE_REGISTRATION);
}

/* The definition of alive: sweep until nothing changes. */
static void look(const struct graph *graph, const struct loss *loss, bool *alive)
{
	bool changed = true;

	for (uint32_t node = 0; node < graph->nodes; node++)
		alive[node] = node != loss->node && starts(graph, loss, node);
	while (changed) {
		changed = false;
		for (uint32_t node = 0; node < graph->nodes; node++) {
			for (uint32_t edge = graph->first[node]; alive[node] && edge < graph->first[node + 1]; edge++) {
				uint32_t to = graph->target[edge];

				if (!alive[to] && to != loss->node && !lost(loss, node, to)) {
					alive[to] = true;
					changed = true;
				}
			}
		}
	}
}

static uint64_t size_of(void *context, uint32_t node)
{
	uint32_t *asked = context;

	CHECK(asked[node]++ == 0);
	return UINT64_C(1) << node;
}

static void visit(void *context, uint32_t node)
{
	*(uint64_t *)context |= UINT64_C(1) << node;
}

/* What dies when @node is removed is what it dominates; of these sets, the parent's is the smallest above its own. */
static void check_dominators(const struct graph *graph, uint64_t *state)
{
	uint64_t below[MOST] = { 0 }, objects[MOST], bytes[MOST];
	uint32_t asked[MOST] = { 0 }, wanted[MOST], count = 0;
	struct loss all = { true, true, NODE_NONE, NULL, 0, NULL, 0 }, none = all;
	bool alive[MOST], fork[MOST], after[MOST];
	struct dominators tree;

	none.root = false;
	look(graph, &all, alive);
	none = all;
	none.fork = false;
	look(graph, &none, fork);
	for (uint32_t node = 0; node < graph->nodes; node++) {
		struct loss one = all;

		one.node = node;
		look(graph, &one, after);
		for (uint32_t other = 0; other < graph->nodes; other++)
			if (alive[node] && alive[other] && !after[other])
				below[node] |= UINT64_C(1) << other;
	}
	CHECK(dominators_compute(graph, &tree) == 0);
	for (uint32_t node = 0; node < graph->nodes; node++) {
		uint32_t parent = tree.parent[node], expected = fork[node] ? NODE_VIRTUAL_ROOT : NODE_VIRTUAL_FORK;
		uint64_t seen = 0, self = UINT64_C(1) << node;

		for (uint32_t other = 0; other < graph->nodes; other++)
			if (other != node && below[other] & self &&
			    (expected >= NODE_VIRTUAL_FORK || below[expected] & UINT64_C(1) << other))
				expected = other;
		CHECK(parent == (alive[node] ? expected : NODE_NONE));
		dominators_visit(&tree, node, visit, &seen);
		CHECK(seen == (alive[node] ? below[node] : self));
		for (uint32_t other = 0; other < graph->nodes; other++)
			CHECK(dominators_above(&tree, other, node) ==
			      (alive[node] ? below[other] >> node & 1 : other == node));
		CHECK(dominators_above(&tree, NODE_VIRTUAL_FORK, node) == (alive[node] && !fork[node]));
		for (uint32_t child = tree.first_child[node]; child != NODE_NONE; child = tree.next_sibling[child])
			CHECK(tree.next_sibling[child] > child);
	}
	CHECK(dominators_number(&tree) == 0);
	for (uint32_t node = 0; node < graph->nodes; node++)
		for (uint32_t other = 0; other < graph->nodes; other++)
			CHECK(dominators_above(&tree, other, node) ==
			      (alive[node] ? below[other] >> node & 1 : other == node));
	while (count < graph->nodes && random_below(state, 8))
		wanted[count++] = random_below(state, graph->nodes);
	CHECK(dominators_retained(&tree, wanted, count, size_of, asked, objects, bytes) == 0);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t whole = alive[wanted[i]] ? below[wanted[i]] : UINT64_C(1) << wanted[i];

		CHECK(bytes[i] == whole && objects[i] == (uint64_t)__builtin_popcountll(whole));
	}
	dominators_finish(&tree);
}

static bool has_edge(const struct graph *graph, uint32_t from, uint32_t to)
{
	for (uint32_t edge = graph->first[from]; edge < graph->first[from + 1]; edge++)
		if (graph->target[edge] == to)
			return true;
	return false;
}

/* The chain from @node up, through each namespace as ROOT reaches it, is a path without a circle. */
static void check_chain(const struct graph *graph, const uint8_t *reach, const uint32_t *parent, uint32_t node)
{
	uint32_t length = 0, start = node;

	for (; parent[start] != NODE_NONE; start = parent[start]) {
		CHECK(has_edge(graph, parent[start], start));
		CHECK(reach[parent[start]] == reach[node]);
		CHECK(++length < graph->nodes);
		CHECK(!(graph->flags[start] & NODE_NAMESPACE) || reach[node] == REACH_FORK);
	}
	if (reach[node] == REACH_FORK)
		CHECK(graph->flags[start] & NODE_REGISTRATION);
	else
		CHECK(graph->flags[start] & (NODE_ROOT | NODE_NAMESPACE));
}

/* A chain that starts at a namespace must not be what alone keeps that namespace: without the chain's other nodes,
 * or at least without the last of them, ROOT must still reach it. */
static void check_grounded(const struct graph *graph, const uint32_t *parent, uint32_t node)
{
	struct loss loss = { true, false, node, NULL, 0, NULL, 0 };
	uint32_t start = node;
	bool alive[MOST];

	while (parent[start] != NODE_NONE)
		start = parent[start];
	if (start == node)
		return;
	look(graph, &loss, alive);
	CHECK(alive[start]);
}

/* By going on until nothing changes: from ROOT, past the @given. */
static void reached_past(const struct graph *graph, const uint8_t *given, bool *past)
{
	bool more = true;

	for (uint32_t node = 0; node < graph->nodes; node++)
		past[node] = graph->flags[node] & NODE_ROOT && !given[node];
	while (more) {
		more = false;
		for (uint32_t node = 0; node < graph->nodes; node++) {
			for (uint32_t edge = graph->first[node]; past[node] && edge < graph->first[node + 1]; edge++) {
				uint32_t target = graph->target[edge];

				if (!past[target] && !given[target])
					past[target] = more = true;
			}
		}
	}
}

static void check_reach(const struct graph *graph)
{
	struct loss both = { true, true, NODE_NONE, NULL, 0, NULL, 0 };
	struct loss root = { true, false, NODE_NONE, NULL, 0, NULL, 0 };
	uint8_t reach[MOST], again[MOST];
	bool alive[MOST], alone[MOST];
	uint32_t parent[MOST];

	CHECK(reach_mark(graph, reach, parent) == 0);
	CHECK(reach_mark(graph, again, NULL) == 0);
	CHECK(memcmp(reach, again, graph->nodes) == 0);
	look(graph, &both, alive);
	look(graph, &root, alone);
	for (uint32_t node = 0; node < graph->nodes; node++) {
		CHECK(reach[node] == (alone[node] ? REACH_ROOT : alive[node] ? REACH_FORK : REACH_NONE));
		if (reach[node] == REACH_NONE)
			CHECK(parent[node] == NODE_NONE);
		else
			check_chain(graph, reach, parent, node);
		if (reach[node] == REACH_ROOT)
			check_grounded(graph, parent, node);
	}
}

/* The same findings with some nodes held up, what is behind them, and who dominates whom there. */
static void check_behind(const struct graph *graph, uint64_t *state)
{
	uint32_t parent[MOST], unused[MOST], rarity = 1 + random_below(state, 6);
	uint8_t reach[MOST], again[MOST], behind[MOST], given[MOST];
	struct dominators tree, part;
	bool past[MOST];

	for (uint32_t node = 0; node < graph->nodes; node++)
		behind[node] = given[node] = !random_below(state, rarity);
	CHECK(reach_mark(graph, reach, unused) == 0);
	CHECK(reach_mark_behind(graph, again, parent, behind) == 0);
	CHECK(memcmp(reach, again, graph->nodes) == 0);
	reached_past(graph, given, past);
	CHECK(dominators_compute(graph, &tree) == 0 && dominators_compute_behind(graph, behind, &part) == 0);
	for (uint32_t node = 0; node < graph->nodes; node++) {
		CHECK(behind[node] == !past[node]);
		if (reach[node] != REACH_NONE)
			check_chain(graph, reach, parent, node);
		if (reach[node] == REACH_ROOT)
			check_grounded(graph, parent, node);
		if (past[node])
			CHECK(part.parent[node] == NODE_VIRTUAL_ROOT);
		for (uint32_t above = 0; above < graph->nodes; above++)
			if (behind[above])
				CHECK(dominators_above(&part, above, node) == dominators_above(&tree, above, node));
		CHECK(dominators_above(&part, NODE_VIRTUAL_FORK, node) == dominators_above(&tree, NODE_VIRTUAL_FORK, node));
	}
	dominators_finish(&tree);
	dominators_finish(&part);
}

static uint32_t random_cut(const struct graph *graph, uint64_t *state, struct cut_edge *cut)
{
	uint32_t cuts = 0, rarity = 1 + random_below(state, 6);

	for (uint32_t from = 0; from < graph->nodes; from++)
		for (uint32_t to = 0; to < graph->nodes; to++)
			if (!(graph->flags[from] & NODE_REGISTRATION) && has_edge(graph, from, to) &&
			    !random_below(state, rarity))
				cut[cuts++] = (struct cut_edge){ from, to };
	return cuts;
}

struct deaths { uint64_t set; uint32_t last, count; };

static void dies(void *context, uint32_t node)
{
	struct deaths *deaths = context;

	CHECK(!deaths->count || node > deaths->last);
	deaths->last = node;
	deaths->count++;
	deaths->set |= UINT64_C(1) << node;
}

static void check_freed(const struct graph *graph, uint64_t *state)
{
	struct cut_edge cut[MOST * MOST], some[MOST * MOST];
	uint32_t cuts = random_cut(graph, state, cut), dropped[MOST];
	struct reach_scratch *scratch = reach_scratch_new(graph);
	struct loss everything = { true, false, NODE_NONE, NULL, 0, cut, cuts };
	struct loss nothing = { true, true, NODE_NONE, NULL, 0, NULL, 0 };
	bool expected[MOST], before[MOST], after[MOST];
	uint8_t alive[MOST], candidates[MOST], reach[MOST];

	CHECK(scratch);
	CHECK(reach_cut(graph, cut, cuts, alive) == 0);
	look(graph, &everything, expected);
	look(graph, &nothing, before);
	for (uint32_t node = 0; node < graph->nodes; node++) {
		CHECK(alive[node] == expected[node]);
		candidates[node] = !alive[node] && (before[node] || !random_below(state, 2));
	}
	if (random_below(state, 2)) {
		CHECK(reach_mark(graph, reach, NULL) == 0);
		reach_scratch_lend(scratch, reach);
	}
	for (unsigned round = 0; round < 4; round++) {
		struct loss loss = nothing;
		struct deaths deaths = { 0 };
		uint64_t wanted = 0;

		loss.dropped = dropped;
		loss.cut = some;
		for (uint32_t node = 0; node < graph->nodes; node++)
			if (graph->flags[node] & NODE_REGISTRATION && random_below(state, 2))
				dropped[loss.drops++] = node;
		for (uint32_t i = 0; i < cuts; i++)
			if (!round || random_below(state, 2))
				some[loss.cuts++] = cut[i];
		look(graph, &loss, after);
		for (uint32_t node = 0; node < graph->nodes; node++)
			if (before[node] && !after[node] && !(graph->flags[node] & NODE_REGISTRATION))
				wanted |= UINT64_C(1) << node;
		CHECK(reach_freed(graph, candidates, dropped, loss.drops, some, loss.cuts, scratch, dies, &deaths) ==
		      (int64_t)__builtin_popcountll(wanted));
		CHECK(deaths.set == wanted);
	}
	reach_scratch_free(scratch);
}

/* test_retention_random [GRAPHS [SEED]] - for a longer look by hand. */
int main(int argc, char **argv)
{
	uint64_t state = argc > 2 ? strtoull(argv[2], NULL, 0) : UINT64_C(0x9e3779b97f4a7c15);
	unsigned long graphs = argc > 1 ? strtoul(argv[1], NULL, 10) : GRAPHS;

	for (unsigned long round = 0; round < graphs; round++) {
		struct graph graph;

		graph_random(&graph, &state);
		check_dominators(&graph, &state);
		check_reach(&graph);
		check_behind(&graph, &state);
		check_freed(&graph, &state);
		graph_finish(&graph);
	}
	return 0;
}
