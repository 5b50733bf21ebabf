/* SPDX-License-Identifier: Apache-2.0 */
#include "report/analysis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "python/peel.h"
#include "python/registry.h"
#include "report/numbers.h"

struct owner *analysis_owner(const struct analysis *analysis, uint32_t node)
{
	uint32_t low = 0, high = analysis->owner_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (analysis->owners[middle].node < node)
			low = middle + 1;
		else
			high = middle;
	}
	return low < analysis->owner_count && analysis->owners[low].node == node ? &analysis->owners[low] : NULL;
}

/* Distinct owners of all registrations, each with the registrations that lead to it. */
static int gather_owners(struct analysis *analysis)
{
	const struct heap *heap = &analysis->heap;
	struct numbers nodes = {0};
	uint32_t total = 0;
	bool good = true;
	for (uint32_t i = 0; i < heap->registration_count; i++) {
		total += heap->registrations[i].owner_count;
		for (uint32_t j = 0; j < heap->registrations[i].owner_count && good; j++)
			good = numbers_add(&nodes, heap->registrations[i].owners[j]);
	}
	numbers_sort(&nodes);
	analysis->links = malloc((total + (size_t)1) * sizeof *analysis->links);
	analysis->owners = calloc(nodes.count + (size_t)1, sizeof *analysis->owners);
	good = good && analysis->links && analysis->owners;
	analysis->owner_count = good ? nodes.count : 0;
	for (uint32_t i = 0; i < analysis->owner_count; i++)
		analysis->owners[i].node = nodes.items[i];
	numbers_free(&nodes);
	return good ? 0 : -ENOMEM;
}

static void link_owners(struct analysis *analysis)
{
	const struct heap *heap = &analysis->heap;
	for (uint32_t i = 0; i < heap->registration_count; i++)
		for (uint32_t j = 0; j < heap->registrations[i].owner_count; j++)
			analysis_owner(analysis, heap->registrations[i].owners[j])->registration_count++;
	for (uint32_t i = 0, at = 0; i < analysis->owner_count; i++) {
		analysis->owners[i].first_registration = at;
		at += analysis->owners[i].registration_count;
		analysis->owners[i].registration_count = 0;
	}
	for (uint32_t i = 0; i < heap->registration_count; i++) {
		for (uint32_t j = 0; j < heap->registrations[i].owner_count; j++) {
			struct owner *owner = analysis_owner(analysis, heap->registrations[i].owners[j]);
			analysis->links[owner->first_registration + owner->registration_count++] = i;
		}
	}
}

static int add_cut(struct analysis *analysis, struct owner *owner, uint32_t from, uint32_t *room)
{
	if (analysis->cut_count == *room) {
		*room = *room ? 2 * *room : 64;
		void *larger = realloc(analysis->owner_cuts, *room * sizeof *analysis->owner_cuts);
		if (!larger)
			return -ENOMEM;
		analysis->owner_cuts = larger;
	}
	for (uint32_t i = owner->first_cut; i < analysis->cut_count; i++)
		if (analysis->owner_cuts[i].from == from)
			return 0;  /* a parallel edge */
	analysis->owner_cuts[analysis->cut_count++] = (struct cut_edge){from, owner->node};
	owner->cut_count++;
	return 0;
}

/* The registry edges into every owner that ordinary roots reach. */
static int find_cuts(struct analysis *analysis)
{
	const struct graph *graph = &analysis->heap.graph;
	uint32_t room = 0;
	for (uint32_t i = 0; i < analysis->owner_count; i++) {
		struct owner *owner = &analysis->owners[i];
		owner->first_cut = analysis->cut_count;
		if (analysis->reach[owner->node] != REACH_ROOT || (graph->flags[owner->node] & NODE_ROOT))
			continue;
		for (uint32_t j = graph->reverse_first[owner->node]; j < graph->reverse_first[owner->node + 1]; j++) {
			enum registry_kind kind = registry_kind(&analysis->heap, analysis->reach, graph->source[j]);
			if (kind == REGISTRY_NOT)
				continue;
			owner->module_registry |= kind == REGISTRY_MODULE;
			if (add_cut(analysis, owner, graph->source[j], &room) < 0)
				return -ENOMEM;
		}
	}
	analysis->cuts = malloc((analysis->cut_count + 1) * sizeof *analysis->cuts);
	if (!analysis->cuts)
		return -ENOMEM;
	if (analysis->cut_count) {
		memcpy(analysis->cuts, analysis->owner_cuts, analysis->cut_count * sizeof *analysis->cuts);
		cuts_sort(analysis->cuts, analysis->cut_count);
	}
	return 0;
}

/* candidates: fork-only, or reached from roots only through registry edges. */
static int find_candidates(struct analysis *analysis)
{
	uint32_t nodes = analysis->heap.graph.nodes;
	analysis->candidates = calloc(nodes + 1, 1);
	if (!analysis->candidates)
		return -ENOMEM;
	if (analysis->cut_count) {
		int result = reach_cut(&analysis->heap.graph, analysis->cuts, analysis->cut_count, analysis->candidates);
		if (result < 0)
			return result;
		for (uint32_t i = 0; i < nodes; i++)
			analysis->candidates[i] = !analysis->candidates[i] && analysis->reach[i] != REACH_NONE;
	} else {
		for (uint32_t i = 0; i < nodes; i++)
			analysis->candidates[i] = analysis->reach[i] == REACH_FORK;
	}
	return 0;
}

static bool has_strong(const struct analysis *analysis, const struct owner *owner)
{
	for (uint32_t i = 0; i < owner->registration_count; i++) {
		uint32_t index = analysis->links[owner->first_registration + i];
		if (analysis->heap.registrations[index].strength == STRENGTH_STRONG)
			return true;
	}
	return false;
}

/* An owner that only registries hold, and registrations only weakly, is in use: forks have no part in it. */
static void judge(struct analysis *analysis)
{
	for (uint32_t i = 0; i < analysis->owner_count; i++) {
		struct owner *owner = &analysis->owners[i];
		if (analysis->reach[owner->node] == REACH_FORK)
			owner->verdict = VERDICT_FORK_ONLY;
		else if (analysis->candidates[owner->node] && (owner->cut_count == 0 || has_strong(analysis, owner)))
			owner->verdict = VERDICT_JOINT;
	}
}

/* What hangs off a callable but not off one of its owners is plumbing too: a WeakMethod's inner reference, a function's
 * own dict. */
static int flag_plumbing(struct analysis *analysis)
{
	struct graph *graph = &analysis->heap.graph;
	uint8_t *owned = calloc(graph->nodes + (size_t)1, 1);
	uint32_t count = 0;
	for (uint32_t i = 0; i < graph->nodes; i++)
		count += analysis->reach[i] == REACH_FORK;
	uint32_t *queue = malloc((count + (size_t)1) * sizeof *queue);
	count = 0;
	int result = owned && queue ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < analysis->owner_count && result == 0; i++)
		if (analysis->reach[analysis->owners[i].node] == REACH_FORK)
			owned[queue[count++] = analysis->owners[i].node] = 1;
	for (uint32_t at = 0; at < count; at++) {
		for (uint32_t i = graph->first[queue[at]]; i < graph->first[queue[at] + 1]; i++) {
			uint32_t node = graph->target[i];
			if (analysis->reach[node] == REACH_FORK && !owned[node])
				owned[queue[count++] = node] = 1;
		}
	}
	for (uint32_t i = analysis->heap.registration_count; i < graph->nodes && result == 0; i++)
		if (analysis->reach[i] == REACH_FORK && !owned[i])
			graph->flags[i] |= NODE_PLUMBING;
	free(owned), free(queue);
	return result;
}

/* What would be freed, plumbing left out. */
static void sum_up(struct analysis *analysis)
{
	for (uint32_t i = analysis->heap.registration_count; i < analysis->heap.graph.nodes; i++) {
		if (!analysis->candidates[i] || (analysis->heap.graph.flags[i] & NODE_PLUMBING))
			continue;
		struct freed *sum = analysis->reach[i] == REACH_FORK ? &analysis->fork_only : &analysis->joint;
		sum->objects++;
		sum->bytes += heap_size(&analysis->heap, i);
	}
}

static int measure_owners(struct analysis *analysis)
{
	uint32_t count = analysis->owner_count;
	uint32_t *wanted = malloc((count + 1) * sizeof *wanted);
	uint64_t *objects = malloc((count + 1) * sizeof *objects), *bytes = malloc((count + 1) * sizeof *bytes);
	int result = wanted && objects && bytes ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < count && result == 0; i++)
		wanted[i] = analysis->owners[i].node;
	if (result == 0)
		result = dominators_retained(&analysis->dominators, wanted, count, heap_size, &analysis->heap, objects, bytes);
	for (uint32_t i = 0; i < count && result == 0; i++) {
		analysis->owners[i].retained_objects = objects[i];
		analysis->owners[i].retained_bytes = bytes[i];
	}
	free(wanted), free(objects), free(bytes);
	return result;
}

static int mark(struct analysis *analysis)
{
	uint32_t nodes = analysis->heap.graph.nodes;
	analysis->reach = malloc(nodes + 1);
	analysis->parent = malloc((nodes + (size_t)1) * sizeof *analysis->parent);
	analysis->behind = calloc(nodes + (size_t)1, 1);
	if (!analysis->reach || !analysis->parent || !analysis->behind)
		return -ENOMEM;
	/* Whatever is asked of dominance is asked of owners, and of what lives through them or through registrations. */
	for (uint32_t i = 0; i < analysis->heap.registration_count; i++)
		for (uint32_t j = 0; j < analysis->heap.registrations[i].owner_count; j++)
			analysis->behind[analysis->heap.registrations[i].owners[j]] = 1;
	return reach_mark_behind(&analysis->heap.graph, analysis->reach, analysis->parent, analysis->behind);
}

/* The spaces that nothing but fork registrations reaches, registration by registration, doubles and all. @nodes: NULL
 * to count. */
static uint32_t lost_spaces(struct analysis *analysis, uint32_t *nodes)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < analysis->heap.registration_count; i++) {
		const struct heap_registration *registration = &analysis->heap.registrations[i];
		for (uint32_t j = 0; j < registration->space_count; j++) {
			if (analysis->reach[registration->spaces[j]] != REACH_FORK)
				continue;
			if (nodes)
				nodes[count] = registration->spaces[j];
			count++;
		}
	}
	return count;
}

/* Classes, modules and functions' globals belong to the program, not to a callable. Where only fork registrations still
 * reach one and it retains as much as the report lists, it is an owner after all: nobody else would name what it
 * keeps. */
static int adopt_spaces(struct analysis *analysis)
{
	uint32_t count = lost_spaces(analysis, NULL), at = 0;
	if (!count)
		return 0;
	uint32_t *nodes = malloc(count * sizeof *nodes);
	uint64_t *objects = malloc(count * sizeof *objects), *bytes = malloc(count * sizeof *bytes);
	int result = nodes && objects && bytes ? 0 : -ENOMEM;
	if (result == 0) {
		lost_spaces(analysis, nodes);
		result = dominators_retained(&analysis->dominators, nodes, count, heap_size, &analysis->heap, objects, bytes);
	}
	for (uint32_t i = 0; i < analysis->heap.registration_count && result == 0; i++) {
		struct heap_registration *registration = &analysis->heap.registrations[i];
		for (uint32_t j = 0; j < registration->space_count && result == 0; j++)
			if (analysis->reach[registration->spaces[j]] == REACH_FORK && bytes[at++] >= options.floor)
				result = peel_adopt(registration, registration->spaces[j]);
	}
	free(nodes), free(objects), free(bytes);
	return result;
}

int analysis_run(struct analysis *analysis)
{
	memset(analysis, 0, sizeof *analysis);
	analysis->named_container = NODE_NONE;
	int result = heap_collect(&analysis->heap);
	if (result == 0)
		result = peel_registrations(&analysis->heap);
	if (result == 0)
		result = mark(analysis);
	if (result == 0)
		result = dominators_compute_behind(&analysis->heap.graph, analysis->behind, &analysis->dominators);
	if (result == 0)
		result = dominators_number(&analysis->dominators);
	if (result == 0)
		result = adopt_spaces(analysis);
	if (result == 0)
		result = gather_owners(analysis);
	if (result < 0)
		return result;
	link_owners(analysis);
	result = find_cuts(analysis);
	if (result == 0)
		result = find_candidates(analysis);
	if (result < 0)
		return result;
	judge(analysis);
	result = flag_plumbing(analysis);
	if (result < 0)
		return result;
	sum_up(analysis);
	analysis->scratch = reach_scratch_new(&analysis->heap.graph);
	if (!analysis->scratch)
		return -ENOMEM;
	reach_scratch_lend(analysis->scratch, analysis->reach);
	return measure_owners(analysis);
}

struct owner *analysis_main_owner(const struct analysis *analysis, const struct heap_registration *registration)
{
	struct owner *main_owner = NULL;
	for (uint32_t i = 0; i < registration->owner_count; i++) {
		struct owner *owner = analysis_owner(analysis, registration->owners[i]);
		if (!main_owner || owner->retained_bytes > main_owner->retained_bytes)
			main_owner = owner;
	}
	return main_owner;
}

struct tally {
	struct analysis *analysis;
	struct freed freed;
};

static void count_node(void *tally_pointer, uint32_t node)
{
	struct tally *tally = tally_pointer;
	uint8_t flags = tally->analysis->heap.graph.flags[node];
	if (flags & (NODE_REGISTRATION | NODE_PLUMBING))
		return;
	tally->freed.objects++;
	tally->freed.bytes += heap_size(&tally->analysis->heap, node);
}

struct freed analysis_frees(struct analysis *analysis, uint32_t index)
{
	struct tally tally = {.analysis = analysis};
	dominators_visit(&analysis->dominators, index, count_node, &tally);
	return tally.freed;
}

int analysis_freed(struct analysis *analysis, const uint32_t *dropped, uint32_t drops, const struct cut_edge *cut,
		   uint32_t cuts, struct freed *freed)
{
	struct tally tally = {.analysis = analysis};
	int64_t result = reach_freed(&analysis->heap.graph, analysis->candidates, dropped, drops, cut, cuts,
				     analysis->scratch, count_node, &tally);
	*freed = tally.freed;
	return result < 0 ? (int)result : 0;
}
