/* SPDX-License-Identifier: Apache-2.0 */
/* load_allocations.h - the live totals of a report. For load_parts.c only. */
#ifndef TOOLS_LOAD_ALLOCATIONS_H
#define TOOLS_LOAD_ALLOCATIONS_H
#include "fields.h"
#include "model.h"

/* read_allocations - "allocations" of @root into @report, which may have none. */
void read_allocations(struct fields *fields, const struct node *root, const struct table *stacks,
	struct report *report);

#endif
