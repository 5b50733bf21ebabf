/* SPDX-License-Identifier: Apache-2.0 */
#include "report/leaks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/libc.h"
#include "ledger/blocks.h"
#include "ledger/stacks.h"
#include "ledger/traces.h"
#include "native/modules.h"
#include "report/gather.h"
#include "report/origin.h"
#include "report/scan.h"

#define LABEL 0u

/* Python's own blocks, and such as cannot be judged, are where the program's pointers lie. */
static bool is_root(void *gathered_pointer, uint32_t block)
{
	const struct gathered *gathered = gathered_pointer;
	return gathered->kind[block] != GATHER_NATIVE;
}

/* Who has called malloc? (musl's loader is its libc, and calls none that is recorded.) */
static bool of_loader(uint32_t node)
{
	uint32_t module = origin_module(node);
	const char *path = module == MODULE_NONE ? NULL : modules_get(module)->path;
	const char *slash = path ? strrchr(path, '/') : NULL;
	return slash && strncmp(slash + 1, "ld-", 3) == 0 && !LIBC_ALLOCATES_UNSEEN;
}

static int by_node(const void *left, const void *right)
{
	const struct leak_site *a = left, *b = right;
	return (a->node > b->node) - (a->node < b->node);
}

static int by_stack(const void *left, const void *right)
{
	const struct leak_site *a = left, *b = right;
	return (a->stack > b->stack) - (a->stack < b->stack);
}

static int by_bytes(const void *left, const void *right)
{
	const struct leak_site *a = left, *b = right;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return by_stack(left, right);
}

/* Sorted ones for which @compare says that they are equal become one. */
static uint32_t merge(struct leak_site *sites, uint32_t count, int (*compare)(const void *, const void *))
{
	uint32_t kept = 0;
	if (count)
		qsort(sites, count, sizeof *sites, compare);
	for (uint32_t i = 0; i < count; i++) {
		if (!kept || compare(&sites[kept - 1], &sites[i]) != 0) {
			sites[kept++] = sites[i];
			continue;
		}
		sites[kept - 1].count += sites[i].count;
		sites[kept - 1].bytes += sites[i].bytes;
	}
	return kept;
}

static int list(struct leaks *leaks, const struct gathered *gathered)
{
	const struct mark *mark = &gathered->mark;
	uint32_t count = 0;
	for (uint32_t i = 0; i < mark->count; i++)
		count += gathered->kind[i] == GATHER_NATIVE && mark->block[i].label == MARK_FREE;
	leaks->sites = malloc((count + (size_t)1) * sizeof *leaks->sites);
	if (!leaks->sites)
		return -ENOMEM;
	count = 0;
	for (uint32_t i = 0; i < mark->count; i++) {
		if (gathered->kind[i] != GATHER_NATIVE || mark->block[i].label != MARK_FREE)
			continue;
		uint32_t node = origin_of(BLOCK_TRACE(blocks_get(mark->block[i].start))).node;
		if (of_loader(node))
			continue;
		leaks->count++;
		leaks->bytes += mark_size(mark, i);
		leaks->sites[count++] = (struct leak_site){.node = node, .count = 1, .bytes = mark_size(mark, i)};
	}
	count = merge(leaks->sites, count, by_node);
	for (uint32_t i = 0; i < count; i++)
		leaks->sites[i].stack = origin_stack(leaks->sites[i].node);
	leaks->site_count = merge(leaks->sites, count, by_stack);
	if (leaks->site_count)
		qsort(leaks->sites, leaks->site_count, sizeof *leaks->sites, by_bytes);
	return 0;
}

int leaks_find(struct leaks *leaks, const struct roots *roots)
{
	struct gathered gathered = {0};
	*leaks = (struct leaks){0};
	int result = gather_blocks(&gathered, roots, NULL);
	for (uint32_t i = 0; i < gathered.mark.count && result == 0; i++)
		gathered.mark.block[i].judged = gathered.kind[i] == GATHER_NATIVE;
	if (result == 0)
		result = mark_begin(&gathered.mark, NULL, NULL);
	if (result == 0) {
		scan_memory(&gathered.mark, roots, LABEL, is_root, &gathered);
		mark_spread(&gathered.mark);
		result = list(leaks, &gathered);
	}
	gather_finish(&gathered);
	return result;
}
