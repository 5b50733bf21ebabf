/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block's record is the id of a leaf of the call tree, so the pass over all blocks only adds to an array. What has
 * blocks is few beside that: leaves of one frame (they differ in age) are joined, then frames whose innermost callers
 * are the same.
 */
#include "report/allocations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "ledger/blocks.h"
#include "ledger/stacks.h"
#include "report/origin.h"
#include "report/sample.h"

struct tally {
	struct allocation_sum *leaves;  /* [nodes of the call tree], in units of 1/SAMPLE_ONE */
	uint8_t *python;                /* [nodes] a leaf of CPython's allocators? 0 not asked yet */
	uint32_t nodes;
};
enum { KIND_UNKNOWN, KIND_NATIVE, KIND_PYTHON };

static bool count_block(void *tally_pointer, uintptr_t address, uint32_t record)
{
	struct tally *tally = tally_pointer;
	uint32_t leaf = BLOCK_TRACE(record);
	if (leaf >= tally->nodes)
		return true;
	if (!tally->python[leaf])
		tally->python[leaf] = origin_of(leaf).kind == TRACE_MALLOC ? KIND_NATIVE : KIND_PYTHON;
	uint64_t size = origin_block_size(address, tally->python[leaf] == KIND_PYTHON), weight = sample_weight(size);
	tally->leaves[leaf].count += weight;
	tally->leaves[leaf].bytes += weight * size;
	return true;
}

/* The sites, by the innermost frames of their paths. */
struct site_table {
	struct allocation_site *sites;
	uint32_t *slots;                /* index + 1 into sites; 0 free */
	uint32_t count, mask;
	uint8_t *depth;                 /* [nodes] frames from the root on, at most DEPTH_MAX */
};
#define DEPTH_MAX 255

/* A parent is older than its child, so one pass finds all depths. */
static void measure_depths(struct site_table *table, uint32_t nodes)
{
	for (uint32_t i = 1; i < nodes; i++) {
		uint32_t parent = traces_parent(i);
		table->depth[i] = parent < i && table->depth[parent] < DEPTH_MAX ? table->depth[parent] + 1 : DEPTH_MAX;
	}
}

/* Only what is cut can meet another path: a shorter one is known by its node. */
static bool is_cut(const struct site_table *table, uint32_t node)
{
	return table->depth[node] >= options.frames;
}

static uint64_t hash_site(const struct site_table *table, uint32_t node, bool python)
{
	uint64_t hash = 0xcbf29ce484222325u + python;
	if (!is_cut(table, node))
		return (hash ^ node) * 0x9e3779b97f4a7c15u;
	for (unsigned i = 0; i < options.frames; i++, node = traces_parent(node))
		hash = (hash ^ traces_key(node)) * 0x9e3779b97f4a7c15u, hash ^= hash >> 29;
	return hash;
}

static bool same_site(const struct site_table *table, const struct allocation_site *site, uint32_t node, bool python)
{
	uint32_t other = site->node;
	if (site->python != python)
		return false;
	if (!is_cut(table, node) || !is_cut(table, other))
		return other == node;
	for (unsigned i = 0; i < options.frames && other != node; i++) {
		if (traces_key(other) != traces_key(node))
			return false;
		other = traces_parent(other), node = traces_parent(node);
	}
	return true;
}

static struct allocation_site *find_site(struct site_table *table, uint32_t node, bool python)
{
	uint32_t slot = (uint32_t)(hash_site(table, node, python) >> 32) & table->mask;
	for (; table->slots[slot]; slot = (slot + 1) & table->mask)
		if (same_site(table, &table->sites[table->slots[slot] - 1], node, python))
			return &table->sites[table->slots[slot] - 1];
	struct allocation_site *site = &table->sites[table->count++];
	table->slots[slot] = table->count;
	*site = (struct allocation_site){.node = node, .python = python, .stack = STACK_NONE};
	return site;
}

static void date_site(struct allocation_site *site, const struct origin *origin)
{
	if (!origin->dated)
		return;
	if (!site->dated || origin->epoch < site->oldest)
		site->oldest = origin->epoch;
	if (!site->dated || origin->epoch > site->newest)
		site->newest = origin->epoch;
	site->dated = true;
}

static void add_sum(struct allocation_sum *sum, const struct allocation_sum *more)
{
	sum->count += more->count;
	sum->bytes += more->bytes;
}

static int group(struct site_table *table, const struct tally *tally)
{
	uint32_t used = 0, room = 16;
	for (uint32_t i = 0; i < tally->nodes; i++)
		used += tally->leaves[i].count != 0;
	while (room < 2 * (uint64_t)used)
		room *= 2;
	table->mask = room - 1;
	table->sites = malloc((used + (size_t)1) * sizeof *table->sites);
	table->slots = calloc(room, sizeof *table->slots);
	table->depth = calloc(tally->nodes, 1);
	if (!table->sites || !table->slots || !table->depth)
		return -ENOMEM;
	measure_depths(table, tally->nodes);
	for (uint32_t i = 0; i < tally->nodes; i++) {
		if (!tally->leaves[i].count)
			continue;
		struct origin origin = origin_of(i);
		struct allocation_site *site = find_site(table, origin.node, tally->python[i] == KIND_PYTHON);
		add_sum(&site->sum, &tally->leaves[i]);
		date_site(site, &origin);
	}
	return 0;
}

/* Is @a to be listed before @b? Sites that are equal otherwise: the one that was met first. */
static int compare(const void *left, const void *right)
{
	const struct allocation_site *a = left, *b = right;
	if (a->sum.bytes != b->sum.bytes)
		return a->sum.bytes > b->sum.bytes ? -1 : 1;
	if (a->sum.count != b->sum.count)
		return a->sum.count > b->sum.count ? -1 : 1;
	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	return (a->python > b->python) - (a->python < b->python);
}

/* The @wanted first ones, as a heap with the last of them on top: most sites are compared once. */
static void sift(struct allocation_site *heap, uint32_t count, uint32_t at)
{
	for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
		child += child + 1 < count && compare(&heap[child], &heap[child + 1]) < 0;
		if (compare(&heap[at], &heap[child]) >= 0)
			return;
		struct allocation_site held = heap[at];
		heap[at] = heap[child];
		heap[child] = held;
	}
}

static uint32_t select_first(struct allocation_site *sites, uint32_t count, uint64_t limit)
{
	uint32_t wanted = count < limit ? count : (uint32_t)limit;
	for (uint32_t i = wanted / 2; i-- > 0;)
		sift(sites, wanted, i);
	for (uint32_t i = wanted; i < count && wanted; i++) {
		if (compare(&sites[i], &sites[0]) >= 0)
			continue;
		struct allocation_site held = sites[0];
		sites[0] = sites[i];
		sites[i] = held;
		sift(sites, wanted, 0);
	}
	if (wanted)
		qsort(sites, wanted, sizeof *sites, compare);
	return wanted;
}

int allocations_sum(struct allocations *allocations)
{
	struct tally tally = {.nodes = traces_count()};
	struct site_table table = {0};
	*allocations = (struct allocations){0};
	tally.leaves = calloc(tally.nodes + (size_t)1, sizeof *tally.leaves);
	tally.python = calloc(tally.nodes + (size_t)1, 1);
	int result = tally.leaves && tally.python ? 0 : -ENOMEM;
	if (result == 0) {
		blocks_each(count_block, &tally);
		result = group(&table, &tally);
	}
	free(tally.python), free(tally.leaves);
	free(table.depth), free(table.slots);
	if (result < 0)
		return result;
	for (uint32_t i = 0; i < table.count; i++) {
		struct allocation_sum *sum = &table.sites[i].sum;
		sum->count = sample_round(sum->count);
		sum->bytes = sample_round(sum->bytes);
		add_sum(table.sites[i].python ? &allocations->python : &allocations->native, sum);
	}
	allocations->sites = table.sites;
	allocations->site_count = select_first(table.sites, table.count, options.sites);
	allocations->sites_dropped = table.count - allocations->site_count;
	for (uint32_t i = allocations->site_count; i < table.count; i++)
		add_sum(&allocations->dropped, &table.sites[i].sum);
	return 0;
}

static void join(struct allocation_site *site, const struct allocation_site *other)
{
	struct origin oldest = {.epoch = other->oldest, .dated = other->dated};
	struct origin newest = {.epoch = other->newest, .dated = other->dated};
	add_sum(&site->sum, &other->sum);
	date_site(site, &oldest);
	date_site(site, &newest);
}

/* Two nodes may mean one frame: a function that was compiled twice, a library loaded twice. */
static void join_same(struct allocations *allocations)
{
	uint32_t kept = 0, *known = calloc(2 * (stacks_count() + (size_t)1), sizeof *known);
	for (uint32_t i = 0; i < allocations->site_count && known; i++) {
		struct allocation_site *site = &allocations->sites[i];
		uint32_t *index = &known[2 * (site->stack == STACK_NONE ? stacks_count() : site->stack) + site->python];
		if (*index) {
			join(&allocations->sites[*index - 1], site);
			continue;
		}
		allocations->sites[kept++] = *site;
		*index = kept;
	}
	if (kept && kept < allocations->site_count) {
		allocations->site_count = kept;
		qsort(allocations->sites, kept, sizeof *allocations->sites, compare);
	}
	free(known);
}

void allocations_name(struct allocations *allocations)
{
	for (uint32_t i = 0; i < allocations->site_count; i++)
		allocations->sites[i].stack = origin_stack(allocations->sites[i].node);
	join_same(allocations);
}
