/* SPDX-License-Identifier: Apache-2.0 */
#include "merge.h"

#include <stdlib.h>
#include <string.h>

#include "pool.h"

static int compare_numbers(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

int compare_findings(const void *a, const void *b)
{
	const struct finding *left = *(const struct finding *const *)a, *right = *(const struct finding *const *)b;
	int order = compare_numbers(right->bytes, left->bytes);

	if (order == 0)
		order = compare_numbers(right->level, left->level);
	if (order == 0)
		order = strcmp(left->rule, right->rule);
	return order ? order : strcmp(left->fingerprint, right->fingerprint);
}

static int compare_fingerprints(const void *a, const void *b)
{
	const struct merged *left = a, *right = b;

	return strcmp(left->finding->fingerprint, right->finding->fingerprint);
}

/* Those of one report side by side, so that the reports of a fingerprint can be counted. */
static int compare_sources(const void *a, const void *b)
{
	const struct merged *left = a, *right = b;
	int order = compare_fingerprints(a, b);

	if (order == 0)
		order = compare_numbers((int64_t)left->source, (int64_t)right->source);
	return order ? order : compare_findings(&left->finding, &right->finding);
}

static int compare_pointers(const void *a, const void *b)
{
	return compare_fingerprints(*(const struct merged *const *)a, *(const struct merged *const *)b);
}

/* Worst first: level, then the order of show. */
static int compare_merged(const void *a, const void *b)
{
	const struct merged *left = a, *right = b;
	int order = compare_numbers(right->level, left->level);

	return order ? order : compare_findings(&left->finding, &right->finding);
}

static void fold(struct merged *into, const struct merged *from)
{
	if (from->source != into->source)
		into->reports++;
	into->source = from->source;
	if (from->level > into->level || (from->level == into->level && from->bytes > into->bytes)) {
		into->finding = from->finding;
		into->report = from->report;
	}
	into->level = from->level > into->level ? from->level : into->level;
	into->count = from->count > into->count ? from->count : into->count;
	into->bytes = from->bytes > into->bytes ? from->bytes : into->bytes;
}

void merge_reports(struct merge *merge, struct report *const *reports, size_t count)
{
	size_t total = 0, kept = 0, at = 0;

	for (size_t i = 0; i < count; i++)
		total += reports[i] ? reports[i]->finding_count : 0;
	merge->items = take(total, sizeof(*merge->items));
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; reports[i] && j < reports[i]->finding_count; j++) {
			const struct finding *finding = &reports[i]->findings[j];

			merge->items[at++] = (struct merged){finding, reports[i], finding->level, finding->count,
				finding->bytes, 1, i};
		}
	}
	qsort(merge->items, total, sizeof(*merge->items), compare_sources);
	for (size_t i = 0; i < total; i++) {
		if (kept > 0 && compare_fingerprints(&merge->items[kept - 1], &merge->items[i]) == 0)
			fold(&merge->items[kept - 1], &merge->items[i]);
		else
			merge->items[kept++] = merge->items[i];
	}
	merge->count = kept;
	qsort(merge->items, kept, sizeof(*merge->items), compare_merged);
	merge->by_fingerprint = take(kept, sizeof(*merge->by_fingerprint));
	for (size_t i = 0; i < kept; i++)
		merge->by_fingerprint[i] = &merge->items[i];
	qsort(merge->by_fingerprint, kept, sizeof(*merge->by_fingerprint), compare_pointers);
}

const struct merged *merge_find(const struct merge *merge, const char *fingerprint)
{
	const struct finding wanted = {.fingerprint = fingerprint};
	const struct merged key = {.finding = &wanted}, *pointer = &key;
	struct merged *const *found;

	found = bsearch(&pointer, merge->by_fingerprint, merge->count, sizeof(pointer), compare_pointers);
	return found ? *found : NULL;
}

void merge_finish(struct merge *merge)
{
	free(merge->items);
	free(merge->by_fingerprint);
	*merge = (struct merge){0};
}
