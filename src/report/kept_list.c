/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/stacks.h"
#include "report/kept_parts.h"

/* Who reads a slot comes to what it leads to, other slots too. */
static void pass_readers(struct kept *kept, const struct kept_graph *graph, uint32_t slot, bool *met, uint32_t *queue)
{
	uint32_t count = 0;
	queue[count++] = slot;
	met[slot] = true;
	for (uint32_t next = 0; next < count; next++) {
		for (uint32_t i = graph->first[queue[next]]; i < graph->first[queue[next] + 1]; i++) {
			uint32_t node = graph->edge[i];
			if (met[node])
				continue;
			met[node] = true;
			queue[count++] = node;
			if (node >= graph->slots || kept->of_slot[node].readers)
				continue;
			kept->of_slot[node].readers = kept->of_slot[slot].readers;
			memcpy(kept->of_slot[node].reader, kept->of_slot[slot].reader, sizeof kept->of_slot[node].reader);
		}
	}
}

int kept_readers(struct kept *kept, const struct kept_graph *graph)
{
	bool *met = calloc(graph->count + (size_t)1, 1);
	uint32_t *queue = malloc((graph->count + (size_t)1) * sizeof *queue);
	int result = met && queue ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < graph->slots && result == 0; i++)
		if (kept->slots.list[i].thunk.kind == THUNK_NONE && graph->first[i] < graph->first[i + 1])
			kept->of_slot[i].readers = slot_readers(&kept->slots, &kept->slots.list[i], kept->of_slot[i].reader,
								KEPT_READERS);
	for (uint32_t i = 0; i < graph->slots && result == 0; i++)
		if (kept->of_slot[i].readers && !met[i])
			pass_readers(kept, graph, i, met, queue);
	free(met);
	free(queue);
	return result;
}

/* A walk in breadth, so that each block has a shortest path. */
struct walk {
	struct kept *kept;
	const struct kept_graph *graph;
	const struct mark *mark;
	uint32_t most;
	bool *met;        /* [graph->count] */
	uint32_t *node;   /* [graph->count] of each block */
};

static void walk_edges(struct walk *walk, uint32_t from, uint32_t slot, uint32_t holder)
{
	struct kept *kept = walk->kept;
	for (uint32_t i = walk->graph->first[from]; i < walk->graph->first[from + 1]; i++) {
		uint32_t node = walk->graph->edge[i], block = walk->graph->block[node];
		if (walk->met[node] || node < walk->graph->slots)
			continue;
		walk->met[node] = true;
		walk->node[kept->count++] = node;
		if (kept->listed < walk->most)
			kept->blocks[kept->listed++] = (struct kept_block){
				.start = walk->mark->block[block].start, .size = mark_size(walk->mark, block), .slot = slot,
				.holder = holder, .stack = STACK_NONE};
		kept->of_slot[slot].blocks++;
		kept->of_slot[slot].bytes += mark_size(walk->mark, block);
		kept->bytes += mark_size(walk->mark, block);
	}
}

int kept_list(struct kept *kept, const struct kept_graph *graph, const struct mark *mark, uint32_t most)
{
	struct walk walk = {.kept = kept, .graph = graph, .mark = mark, .most = most};
	kept->blocks = malloc(((most < graph->count ? most : graph->count) + (size_t)1) * sizeof *kept->blocks);
	walk.met = calloc(graph->count + (size_t)1, 1);
	walk.node = malloc((graph->count + (size_t)1) * sizeof *walk.node);
	int result = kept->blocks && walk.met && walk.node ? 0 : -ENOMEM;
	/* What others come to as well is theirs first: nobody may say that handlers alone keep it. */
	for (uint32_t i = 0; i < 2 * graph->slots && result == 0; i++) {
		uint32_t slot = i % graph->slots, next = kept->count;
		bool others = i < graph->slots;
		if (!kept->of_slot[slot].readers == others)
			continue;
		walk_edges(&walk, slot, slot, KEPT_SLOT);
		for (; next < kept->count; next++)
			walk_edges(&walk, walk.node[next], slot, next);
	}
	free(walk.met);
	free(walk.node);
	return result;
}
