/* SPDX-License-Identifier: Apache-2.0 */
#include "report/behind.h"

#include <errno.h>
#include <stdlib.h>

#include "retention/cut.h"

#define PATH_MAX_STEPS 65536u

static int add_cut(struct behind *behind, uint32_t from, uint32_t to)
{
	if (behind->cut_count == behind->cut_room) {
		uint32_t room = behind->cut_room ? 2 * behind->cut_room : 8;
		void *larger = realloc(behind->cuts, room * sizeof *behind->cuts);
		if (!larger)
			return -ENOMEM;
		behind->cuts = larger;
		behind->cut_room = room;
	}
	behind->cuts[behind->cut_count++] = (struct cut_edge){from, to};
	return 0;
}

static bool is_cut(const struct analysis *analysis, const struct owner *owner, uint32_t from)
{
	return owner && owner->cut_count && cut_has(analysis->cuts, analysis->cut_count, from, owner->node);
}

/* Put what refers to @node into @queue. Garbage keeps nothing; whatever else is no candidate reaches an owner by a
 * registry edge only. */
static int climb(struct analysis *analysis, struct behind *behind, struct numbers *queue, uint32_t node)
{
	const struct graph *graph = &analysis->heap.graph;
	const struct owner *owner = analysis_owner(analysis, node);
	for (uint32_t i = graph->reverse_first[node]; i < graph->reverse_first[node + 1]; i++) {
		uint32_t source = graph->source[i];
		if (is_cut(analysis, owner, source)) {
			if (add_cut(behind, source, node) < 0)
				return -ENOMEM;
		} else if (analysis->candidates[source] && !analysis->seen[source]) {
			if (!numbers_add(queue, source))
				return -ENOMEM;
			analysis->seen[source] = 1;
		}
	}
	if (owner && !numbers_add(&behind->owners, node))
		return -ENOMEM;
	return 0;
}

/* The further ones are those that were not asked for. */
static void leave_out(struct numbers *numbers, const struct numbers *others)
{
	uint32_t kept = 0;
	for (uint32_t i = 0, at = 0; i < numbers->count; i++) {
		while (at < others->count && others->items[at] < numbers->items[i])
			at++;
		if (at == others->count || others->items[at] != numbers->items[i])
			numbers->items[kept++] = numbers->items[i];
	}
	numbers->count = kept;
}

int behind_find(struct analysis *analysis, const struct numbers *owners, struct behind *behind)
{
	struct numbers queue = {0};
	int result = 0;
	if (!analysis->seen)
		analysis->seen = calloc(analysis->heap.graph.nodes + (size_t)1, 1);
	if (!analysis->seen)
		return -ENOMEM;
	for (uint32_t i = 0; i < owners->count && result == 0; i++) {
		analysis->seen[owners->items[i]] = 1;
		result = numbers_add(&queue, owners->items[i]) ? 0 : -ENOMEM;
	}
	for (uint32_t at = 0; at < queue.count && result == 0; at++) {
		uint32_t node = queue.items[at];
		if (node < analysis->heap.registration_count)
			result = numbers_add(&behind->registrations, node) ? 0 : -ENOMEM;
		else
			result = climb(analysis, behind, &queue, node);
	}
	for (uint32_t i = 0; i < queue.count; i++)
		analysis->seen[queue.items[i]] = 0;
	numbers_free(&queue);
	numbers_sort(&behind->registrations);
	numbers_sort(&behind->owners);
	leave_out(&behind->owners, owners);
	cuts_sort(behind->cuts, behind->cut_count);
	return result;
}

void behind_finish(struct behind *behind)
{
	numbers_free(&behind->registrations);
	numbers_free(&behind->owners);
	free(behind->cuts);
}

bool behind_registry(const struct analysis *analysis, uint32_t node, struct cut_edge *edge)
{
	for (uint32_t steps = 0; steps < PATH_MAX_STEPS; steps++) {
		uint32_t from = analysis->parent[node];
		if (from == NODE_NONE)
			return false;
		if (is_cut(analysis, analysis_owner(analysis, node), from)) {
			*edge = (struct cut_edge){from, node};
			return true;
		}
		node = from;
	}
	return false;
}
