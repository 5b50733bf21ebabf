/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most of the time goes to waiting for memory: what a word leads to lies anywhere. So words are looked up once, many at
 * a time, and blocks get numbers in the order in which they are met: who follows the edges afterwards goes through
 * memory nearly from its start to its end.
 */
#include <errno.h>
#include <stdlib.h>

#include "report/kept_parts.h"

#define WORD sizeof(uintptr_t)
#define WORDS 64u   /* looked up at a time */
#define AHEAD 8u    /* nodes, until the words that are asked for are read; their block's record twice as far */

struct building {
	struct kept_graph *graph;
	struct gathered *gathered;
	uint32_t next;           /* node whose words are to be read */
	uint32_t begun;          /* nodes for which it is known where their edges begin */
	uint32_t edge_room;
	unsigned count;          /* words that wait, */
	uintptr_t word[WORDS];
	uint32_t from[WORDS];    /* whose they are */
};

static uint32_t closure_of(const struct gathered *gathered, uintptr_t code)
{
	const struct slots *slots = gathered->slots;
	for (uint32_t i = 0; i < slots->count && slots->closures; i++)
		if (slots->list[i].thunk.kind == THUNK_CLOSURE && slots->list[i].thunk.code == code)
			return gathered->slot[i];
	return MARK_FREE;
}

/* What @word leads to, which lies in @found: a kept block, a slot, a closure (by its code as well); or MARK_FREE. */
static uint32_t leads_to(const struct gathered *gathered, uintptr_t word, uint32_t found)
{
	uint32_t block = found == MARK_FREE ? closure_of(gathered, word) : found;
	bool counts = block != MARK_FREE && (kept_in(gathered, block) || gathered->kind[block] == GATHER_SLOT ||
					     gathered->kind[block] == GATHER_CLOSURE);
	return counts ? block : MARK_FREE;
}

bool kept_leads(const struct gathered *gathered, uint32_t block)
{
	const struct mark *mark = &gathered->mark;
	uintptr_t at = (mark->block[block].start + WORD - 1) & ~(WORD - 1);
	for (; at + WORD <= mark_end(mark, block); at += WORD) {
		uintptr_t word = *(const uintptr_t *)at;
		if (leads_to(gathered, word, mark_find(mark, word)) != MARK_FREE)
			return true;
	}
	return false;
}

static uint32_t slot_of(const struct gathered *gathered, uint32_t block)
{
	uint32_t low = 0, high = gathered->slots->count;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (gathered->slot[middle] <= block)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* A label below the number of slots is still the mark's. */
static uint32_t node_of(struct building *building, uint32_t block)
{
	struct kept_graph *graph = building->graph;
	if (!kept_in(building->gathered, block))
		return slot_of(building->gathered, block);
	uint32_t *label = &building->gathered->mark.block[block].label;
	if (*label < graph->slots) {
		*label = graph->count;
		graph->block[graph->count++] = block;
	}
	return *label;
}

static bool add_edge(struct building *building, uint32_t from, uint32_t to)
{
	struct kept_graph *graph = building->graph;
	while (building->begun <= from)
		graph->first[building->begun++] = graph->edges;
	if (graph->edges > graph->first[from] && graph->edge[graph->edges - 1] == to)
		return true;
	if (graph->edges == building->edge_room) {
		uint32_t room = building->edge_room ? 2 * building->edge_room : 4096;
		void *larger = room <= building->edge_room ? NULL : realloc(graph->edge, room * sizeof *graph->edge);
		if (!larger)
			return false;
		graph->edge = larger;
		building->edge_room = room;
	}
	graph->edge[graph->edges++] = to;
	return true;
}

static bool look_up(struct building *building)
{
	uint32_t found[WORDS];
	mark_find_all(&building->gathered->mark, building->word, found, building->count);
	for (unsigned i = 0; i < building->count; i++) {
		uint32_t block = leads_to(building->gathered, building->word[i], found[i]);
		if (block != MARK_FREE && !add_edge(building, building->from[i], node_of(building, block)))
			return false;
	}
	building->count = 0;
	return true;
}

static void expect(const struct building *building, uint32_t node)
{
	const struct kept_graph *graph = building->graph;
	const struct mark_block *block = building->gathered->mark.block;
	if (node + 2 * AHEAD < graph->count)
		__builtin_prefetch(&block[graph->block[node + 2 * AHEAD]]);
	if (node + AHEAD < graph->count) {
		const char *start = (const char *)(uintptr_t)block[graph->block[node + AHEAD]].start;
		__builtin_prefetch(start);
		__builtin_prefetch(start + 64);
	}
}

static bool read_words(struct building *building)
{
	const struct mark *mark = &building->gathered->mark;
	uint32_t node = building->next++, block = building->graph->block[node];
	uintptr_t end = mark_end(mark, block);
	/* Most words are no pointers: only between these lies what slots alone lead to, and the slots. */
	uintptr_t low = building->gathered->slots->closures ? 0 : mark->low;
	uintptr_t width = building->gathered->slots->closures ? UINTPTR_MAX : mark->high - mark->low;
	expect(building, node);
	for (uintptr_t at = (mark->block[block].start + WORD - 1) & ~(WORD - 1); at + WORD <= end; at += WORD) {
		uintptr_t word = *(const uintptr_t *)at;
		if (word - low >= width)
			continue;
		building->word[building->count] = word;
		building->from[building->count++] = node;
		if (building->count == WORDS && !look_up(building))
			return false;
	}
	return true;
}

int kept_graph(struct kept_graph *graph, struct gathered *gathered)
{
	struct building building = {.graph = graph, .gathered = gathered};
	size_t most = gathered->slots->count;
	for (uint32_t i = 0; i < gathered->mark.count; i++)
		most += kept_in(gathered, i);
	graph->block = malloc((most + 1) * sizeof *graph->block);
	graph->first = malloc((most + 1) * sizeof *graph->first);
	if (!graph->block || !graph->first)
		return -ENOMEM;
	for (; graph->count < gathered->slots->count; graph->count++)
		graph->block[graph->count] = gathered->slot[graph->count];
	graph->slots = graph->count;
	while (building.next < graph->count || building.count)
		if (!(building.next < graph->count ? read_words(&building) : look_up(&building)))
			return -ENOMEM;
	while (building.begun <= graph->count)
		graph->first[building.begun++] = graph->edges;
	return 0;
}

void kept_graph_finish(struct kept_graph *graph)
{
	free(graph->block);
	free(graph->first);
	free(graph->edge);
}
