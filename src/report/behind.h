/* SPDX-License-Identifier: Apache-2.0 */
/* behind.h - through whom else owners live: other owners that refer to them, their registrations and registries. */
#ifndef REPORT_BEHIND_H
#define REPORT_BEHIND_H
#include "report/analysis.h"
#include "report/numbers.h"

struct behind {
	struct numbers registrations;  /* indexes of heap.registrations, ascending: all that lead to the owners */
	struct numbers owners;         /* nodes, ascending: further owners on the way */
	struct cut_edge *cuts;         /* sorted: the registry edges into the owners and into those further ones */
	uint32_t cut_count, cut_room;
};

/* behind_find - for @owners (nodes, ascending), fork-only or joint ones: if those registrations and edges go, every
 * owner dies, and every further owner. Cost: that of the part above the owners. @behind: zeroed; behind_finish.
 * Return: 0 or -ENOMEM. */
int behind_find(struct analysis *analysis, const struct numbers *owners, struct behind *behind);
void behind_finish(struct behind *behind);

/* behind_registry - the first registry edge on the shortest path from a root to the joint owner at @node: its own, or
 * that of an owner which it lives behind. Return: false where that path is too long to be followed. */
bool behind_registry(const struct analysis *analysis, uint32_t node, struct cut_edge *edge);

#endif
