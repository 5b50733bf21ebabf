/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "retention/reach.h"
#include "test_retention.h"

/* 0, 1, 2 registrations; 3, 4 owners; 5 a class with 6, its registry. */
static const uint8_t flags[12] = { NODE_REGISTRATION, NODE_REGISTRATION, NODE_REGISTRATION, 0, 0, NODE_ROOT };
static const struct cut_edge registry[] = { { 6, 3 }, { 6, 4 } };

static void dies(void *context, uint32_t node)
{
	*(uint32_t *)context |= 1u << node;
}

/* What dies, as a bit set, if the registrations in the set @dropped and the first @cuts of @registry go. */
static uint32_t freed_if(const char *edges, uint32_t dropped, uint32_t cuts, bool garbage)
{
	uint32_t list[3], drops = 0, dead = 0, again = 0;
	struct reach_scratch *scratch;
	uint8_t candidates[12], reach[12];
	struct graph graph;
	int64_t count;

	graph_of(&graph, 12, edges);
	for (uint32_t node = 0; node < 12; node++)
		graph.flags[node] = flags[node];
	CHECK(reach_cut(&graph, registry, 2, candidates) == 0);
	CHECK(reach_mark(&graph, reach, NULL) == 0);
	for (uint32_t node = 0; node < 12; node++)
		candidates[node] = !candidates[node] && (garbage || reach[node]);
	for (uint32_t node = 0; node < 3; node++)
		if (dropped >> node & 1)
			list[drops++] = node;
	scratch = reach_scratch_new(&graph);
	count = reach_freed(&graph, candidates, list, drops, registry, cuts, scratch, dies, &dead);
	CHECK(count == __builtin_popcount(dead));
	CHECK(reach_freed(&graph, candidates, list, drops, registry, cuts, scratch, dies, &again) == count);
	CHECK(again == dead);
	reach_scratch_free(scratch);
	graph_finish(&graph);
	return dead;
}

/* Whether garbage is among the candidates makes no difference. */
static uint32_t freed(const char *edges, uint32_t dropped, uint32_t cuts)
{
	uint32_t dead = freed_if(edges, dropped, cuts, true);

	CHECK(freed_if(edges, dropped, cuts, false) == dead);
	return dead;
}

static uint32_t set(unsigned count, ...)
{
	uint32_t bits = 0;
	va_list nodes;

	va_start(nodes, count);
	while (count--)
		bits |= 1u << va_arg(nodes, unsigned);
	va_end(nodes);
	return bits;
}

#define ONLY(node) (1u << (node))

static void registrations(void)
{
	CHECK(freed("0>3 3>7 7>3", ONLY(0), 0) == set(2, 3, 7));
	CHECK(freed("0>3 3>7 7>3", ONLY(1), 0) == 0);
	CHECK(freed("0>3 3>7", 0, 0) == 0);
	CHECK(freed("0>3 1>3 3>7", ONLY(0), 0) == 0);
	CHECK(freed("0>3 1>3 3>7", ONLY(0) | ONLY(1), 0) == set(2, 3, 7));
	CHECK(freed("0>3 5>3 3>7", ONLY(0), 0) == 0);
	CHECK(freed("0>3 5>7 3>7", ONLY(0), 0) == ONLY(3));
	CHECK(freed("0>5 5>7", ONLY(0), 0) == 0);
}

/* Two owners share 7; a third registration's circle has it too. */
static void shared(void)
{
	CHECK(freed("0>3 1>4 3>7 4>7", ONLY(0), 0) == ONLY(3));
	CHECK(freed("0>3 1>4 3>7 4>7", ONLY(0) | ONLY(1), 0) == set(3, 3, 4, 7));
	CHECK(freed("0>3 1>4 3>7 4>7 2>8 8>9 9>8 9>7", ONLY(0) | ONLY(1), 0) == set(2, 3, 4));
	CHECK(freed("0>3 3>7 7>8 8>9 9>7 1>9", ONLY(0), 0) == ONLY(3));
	CHECK(freed("0>3 3>7 7>8 8>9 9>7 1>9", ONLY(0) | ONLY(1), 0) == set(4, 3, 7, 8, 9));
}

/* Garbage (8, 9) that refers to the owner keeps nothing, and is not itself freed by anybody. */
static void garbage(void)
{
	CHECK(freed("0>3 8>9 9>8 8>3", ONLY(0), 0) == ONLY(3));
	CHECK(freed("0>3 8>9 9>8 8>3 3>8", ONLY(0), 0) == set(3, 3, 8, 9));
	CHECK(freed("6>3 8>6", 0, 2) == 0);
}

/* The registry as second holder: neither alone frees, both do; parallel edges go together. */
static void joint(void)
{
	CHECK(freed("0>3 5>6 6>3 6>3 3>7", ONLY(0), 0) == 0);
	CHECK(freed("0>3 5>6 6>3 6>3 3>7", 0, 2) == 0);
	CHECK(freed("0>3 5>6 6>3 6>3 3>7", ONLY(0), 2) == set(2, 3, 7));
	CHECK(freed("5>6 6>3 3>7", 0, 2) == set(2, 3, 7));
	CHECK(freed("0>3 5>6 6>3 5>3 3>7", ONLY(0), 2) == 0);
	CHECK(freed("0>3 1>4 5>6 6>3 6>4 3>7 4>7", ONLY(0), 1) == ONLY(3));
	CHECK(freed("0>3 1>4 5>6 6>3 6>4 3>7 4>7", ONLY(0) | ONLY(1), 1) == ONLY(3));
	CHECK(freed("0>3 1>4 5>6 6>3 6>4 3>7 4>7", ONLY(0) | ONLY(1), 2) == set(3, 3, 4, 7));
}

/* The registry itself lives through the owner: cutting its edge changes who holds the other owner, not the registry. */
static void own_registry(void)
{
	CHECK(freed("0>3 3>6 6>3 6>4", ONLY(0), 0) == set(3, 3, 4, 6));
	CHECK(freed("0>3 3>6 6>3 6>4", 0, 2) == ONLY(4));
	CHECK(freed("0>3 3>6 6>3 6>4 1>4", ONLY(0), 2) == set(2, 3, 6));
}

int main(void)
{
	registrations();
	shared();
	garbage();
	joint();
	own_registry();
	return 0;
}
