/* SPDX-License-Identifier: Apache-2.0 */
/* allocations.h - the live blocks, summed up by the place where they were allocated. Runs in the frozen copy. */
#ifndef REPORT_ALLOCATIONS_H
#define REPORT_ALLOCATIONS_H
#include <stdbool.h>
#include <stdint.h>

struct allocation_sum { uint64_t count, bytes; };

struct allocation_site {
	uint32_t node;              /* innermost frame in the call tree */
	bool python;                /* CPython's allocators, or the malloc family */
	bool dated;
	uint32_t oldest, newest;    /* epochs, if dated */
	uint32_t stack;             /* after allocations_name; STACK_NONE: not known */
	struct allocation_sum sum;
};

struct allocations {
	struct allocation_site *sites;  /* listed ones: most bytes first, then most blocks, then as first met */
	uint32_t site_count;
	uint64_t sites_dropped;
	struct allocation_sum dropped, native, python;
};

/* allocations_sum - one pass over the table of blocks. Before anything else changes the copy's heap. With the option
 * sample the sums are estimates. Return: 0 or -ENOMEM; given back with the copy's heap. */
int allocations_sum(struct allocations *allocations);

/* allocations_name - give the listed sites their stacks; listed ones whose stacks turn out the same become one. */
void allocations_name(struct allocations *allocations);

#endif
