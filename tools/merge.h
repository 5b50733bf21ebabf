/* SPDX-License-Identifier: Apache-2.0 */
/* merge.h - the findings of several reports, one for each fingerprint. */
#ifndef TOOLS_MERGE_H
#define TOOLS_MERGE_H
#include <stddef.h>
#include <stdint.h>
#include "model.h"

struct merged {
	const struct finding *finding;  /* of the highest level, then with most bytes: what is printed */
	const struct report *report;    /* where that one is from */
	enum level level;               /* the highest */
	int64_t count, bytes;           /* the largest in one report: a child repeats what it inherited, a later
	                                 * snapshot what an earlier one saw: a sum would count owners twice */
	size_t reports;                 /* in how many */
	size_t source;                  /* merge's own: index of the report folded last */
};

struct merge {
	struct merged *items;
	struct merged **by_fingerprint;
	size_t count;
};

/* merge_reports - fold; NULL reports are passed over. Order: merge_sort's. Owner: caller, merge_finish(). The reports
 * must outlive the result. */
void merge_reports(struct merge *merge, struct report *const *reports, size_t count);
/* merge_find - by fingerprint, or NULL. */
const struct merged *merge_find(const struct merge *merge, const char *fingerprint);
void merge_finish(struct merge *merge);

/* compare_findings - most bytes first, then level, rule, fingerprint: for qsort of struct finding pointers. */
int compare_findings(const void *a, const void *b);

#endif
