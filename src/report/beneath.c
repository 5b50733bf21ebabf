/* SPDX-License-Identifier: Apache-2.0 */
#include "report/beneath.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/blocks.h"
#include "ledger/blocks_fast.h"
#include "python/buffers.h"
#include "python/interpreters.h"
#include "python/objects.h"
#include "report/gather.h"
#include "report/leads.h"
#include "report/scan.h"
#include "retention/mark.h"

/* What a block is to this question. */
enum role {
	ROLE_NATIVE = GATHER_NATIVE,
	ROLE_BUFFER = GATHER_PYTHON,      /* but no object that is known: passed through, not counted */
	ROLE_OBJECT = GATHER_UNREADABLE,  /* an object lives there that is not asked about */
	ROLE_SOURCE,                      /* one that is */
	ROLE_PLAIN,                       /* nothing but references to Python objects, text or digits */
};

struct search {
	const struct analysis *analysis;
	struct roots *roots;
	const uint8_t *wanted;
	struct gathered gathered;
	uint8_t *role;         /* [gathered.mark.count]: its kinds, refined */
};

/* The nearest node that dominates both; where there is none, a virtual root. NODE_VIRTUAL_ROOT is MARK_OUTSIDE. */
static uint32_t join(void *search_pointer, uint32_t label, uint32_t other)
{
	const struct search *search = search_pointer;
	const struct dominators *dominators = &search->analysis->dominators;
	if (label == NODE_VIRTUAL_FORK || other == NODE_VIRTUAL_FORK) {
		uint32_t node = label == NODE_VIRTUAL_FORK ? other : label;
		bool fork = node == NODE_VIRTUAL_FORK || search->analysis->reach[node] == REACH_FORK ||
			    node < search->analysis->heap.registration_count;
		return fork ? NODE_VIRTUAL_FORK : NODE_VIRTUAL_ROOT;
	}
	while (label < dominators->nodes && !dominators_above(dominators, label, other))
		label = dominators->parent[label];
	if (label != NODE_VIRTUAL_ROOT && label != NODE_VIRTUAL_FORK)
		return label < dominators->nodes ? label : NODE_VIRTUAL_ROOT;
	return label == NODE_VIRTUAL_FORK ? join(search_pointer, label, other) : label;
}

/* Return: the block's index, MARK_FREE if it is none that may get a role. */
static uint32_t set_role(struct search *search, uintptr_t address, enum role role)
{
	uint32_t index = mark_find(&search->gathered.mark, address);
	if (index == MARK_FREE || search->role[index] != ROLE_BUFFER)
		return MARK_FREE;
	search->role[index] = role;
	search->gathered.mark.block[index].judged = false;
	return index;
}

/* A block is a multiple of 16 bytes long. Where its object ends before its last word, that is nobody's. */
static void trim(struct mark *mark, uint32_t index, const pyobject *object)
{
	uintptr_t end = buffers_end(object), block_end = mark_end(mark, index);
	if (end && end < block_end && block_end - end < 16)
		mark_resize(mark, index, end - mark->block[index].start);
}

/* What is no pointer, in the graph or not. */
static void trim_buffers(struct search *search)
{
	struct mark *mark = &search->gathered.mark;
	for (uint32_t i = 0; i < mark->count; i++)
		if (search->role[i] == ROLE_BUFFER)
			mark_resize(mark, i, buffers_pointers(mark->block[i].start, mark_size(mark, i)));
}

static void assign_tables(struct search *search, const pyobject *object)
{
	uintptr_t tables[BUFFERS_TABLES];
	for (unsigned count = buffers_tables(object, tables); count-- > 0;)
		set_role(search, tables[count], ROLE_PLAIN);
}

/* The fork lists are no nodes. */
static void assign_lists(struct search *search)
{
	for (uint32_t i = 0; i < interpreters_count(); i++)
		for (int phase = 0; phase < PHASES; phase++)
			if (!interpreters_get(i)->ended && interpreters_get(i)->lists[phase])
				assign_tables(search, interpreters_get(i)->lists[phase]);
}

/* Which block is whose. Whatever CPython's own containers lead to is in the graph. */
static void assign(struct search *search)
{
	const struct heap *heap = &search->analysis->heap;
	for (uint32_t i = heap->registration_count; i < heap->count; i++) {
		const pyobject *object = heap->objects[i];
		uintptr_t block = objects_block(object), flags = buffers_flags(object);
		uint32_t index = !block ? MARK_FREE :
				 set_role(search, block, buffers_plain(object) ? ROLE_PLAIN :
							 search->wanted[i] ? ROLE_SOURCE : ROLE_OBJECT);
		if (index != MARK_FREE)
			trim(&search->gathered.mark, index, object);
		assign_tables(search, object);
		if (flags)
			leads_cut(search->roots, flags);
	}
	assign_lists(search);
}

/* Are there native blocks to be told about? */
static bool follow_sources(struct search *search)
{
	const struct heap *heap = &search->analysis->heap;
	struct mark *mark = &search->gathered.mark;
	for (uint32_t i = heap->registration_count; i < heap->count; i++) {
		if (!search->wanted[i])
			continue;
		if (buffers_plain(heap->objects[i]))
			continue;
		uintptr_t block = objects_block(heap->objects[i]);
		uint32_t index = block ? mark_find(mark, block) : MARK_FREE;
		if (index != MARK_FREE)
			mark_source(mark, mark->block[index].start, mark_end(mark, index), i, false);
		else
			mark_source(mark, (uintptr_t)heap->objects[i], buffers_least_end(heap->objects[i]), i, false);
	}
	mark_spread(mark);
	for (uint32_t i = 0; i < mark->count; i++)
		if (search->role[i] == ROLE_NATIVE && mark->block[i].label != MARK_FREE)
			return true;
	return false;
}

static void cut_word(void *roots, uintptr_t at)
{
	leads_cut(roots, at);
}

static void cut_static(struct roots *roots)
{
	const struct root_span *data = roots_find(roots, (uintptr_t)py.PyCode_Type);
	if (data)
		buffers_static(data->start, data->end, cut_word, roots);
}

/* Objects in pools that have no record: no part of the scan holds them. */
static void exclude_unrecorded(struct search *search)
{
	const struct heap *heap = &search->analysis->heap;
	for (uint32_t i = heap->registration_count; i < heap->count; i++) {
		uintptr_t object = (uintptr_t)heap->objects[i];
		if (!search->wanted[i] && !buffers_plain(heap->objects[i]) && !objects_block(heap->objects[i]) &&
		    blocks_page(object))
			mark_outside(&search->gathered.mark, object, buffers_least_end(heap->objects[i]), false);
	}
}

static bool is_outside(void *search_pointer, uint32_t block)
{
	const struct search *search = search_pointer;
	return search->role[block] != ROLE_SOURCE && search->role[block] != ROLE_PLAIN &&
	       search->gathered.mark.block[block].label == MARK_FREE;
}

static int by_enter(const void *left, const void *right)
{
	const struct share *a = left, *b = right;
	return (a->enter > b->enter) - (a->enter < b->enter);
}

static int share_out(struct beneath *beneath, const struct search *search)
{
	const struct analysis *analysis = search->analysis;
	const struct mark *mark = &search->gathered.mark;
	uint64_t before = 0, owned = 0;
	uint32_t held = 0;
	for (uint32_t i = 0; i < mark->count; i++)
		held += search->role[i] == ROLE_NATIVE && mark->block[i].label < MARK_OUTSIDE;
	beneath->shares = calloc(held + (size_t)1, sizeof *beneath->shares);
	if (!beneath->shares)
		return -ENOMEM;
	for (uint32_t i = 0; i < mark->count; i++) {
		uint32_t node = mark->block[i].label;
		if (search->role[i] != ROLE_NATIVE || node >= MARK_OUTSIDE)
			continue;
		if (node == NODE_VIRTUAL_FORK) {
			beneath->fork_only += mark_size(mark, i);
			continue;
		}
		bool plumbing = analysis->heap.graph.flags[node] & NODE_PLUMBING;
		if (analysis->reach[node] == REACH_FORK && !plumbing)
			beneath->fork_only += mark_size(mark, i);
		beneath->shares[beneath->count++] = (struct share){
			.enter = analysis->dominators.enter[node], .plumbing = plumbing, .bytes = mark_size(mark, i)};
	}
	if (beneath->count)
		qsort(beneath->shares, beneath->count, sizeof *beneath->shares, by_enter);
	for (uint32_t i = 0; i <= beneath->count; i++) {
		beneath->shares[i].before = before;
		beneath->shares[i].owned = owned;
		before += beneath->shares[i].bytes;
		owned += beneath->shares[i].plumbing ? 0 : beneath->shares[i].bytes;
	}
	return 0;
}

static int look(struct beneath *beneath, struct search *search)
{
	int result = gather_blocks(&search->gathered, search->roots, NULL);
	search->role = search->gathered.kind;
	if (result < 0 || mark_begin(&search->gathered.mark, join, search) < 0)
		return -ENOMEM;
	trim_buffers(search);
	assign(search);
	if (!follow_sources(search)) {
		beneath->shares = calloc(1, sizeof *beneath->shares);
		return beneath->shares ? 0 : -ENOMEM;
	}
	cut_static(search->roots);
	exclude_unrecorded(search);
	scan_memory(&search->gathered.mark, search->roots, MARK_OUTSIDE, is_outside, search);
	mark_spread(&search->gathered.mark);
	return share_out(beneath, search);
}

int beneath_find(struct beneath *beneath, const struct analysis *analysis, struct roots *roots,
		 const uint8_t *wanted)
{
	struct search search = {.analysis = analysis, .roots = roots, .wanted = wanted};
	*beneath = (struct beneath){0};
	if (!leads_find(analysis, roots, wanted))
		return 0;
	int result = look(beneath, &search);
	gather_finish(&search.gathered);
	return result;
}

/* Index of the first share whose enter is at least @enter. */
static uint32_t first_from(const struct beneath *beneath, uint32_t enter)
{
	uint32_t low = 0, high = beneath->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (beneath->shares[middle].enter < enter)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t beneath_of(const struct beneath *beneath, const struct analysis *analysis, uint32_t node, bool plumbing)
{
	const struct dominators *dominators = &analysis->dominators;
	if (!beneath->count)
		return 0;
	uint32_t first = first_from(beneath, dominators->enter[node]), end = first_from(beneath, dominators->leave[node]);
	const struct share *from = &beneath->shares[first], *to = &beneath->shares[end];
	return plumbing ? to->before - from->before : to->owned - from->owned;
}
