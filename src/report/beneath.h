/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beneath.h - the native memory under Python objects: blocks of the malloc family that nothing but them leads to. Each
 * word in memory that is none of those objects' nor of what hangs off them counts against it, live or not; what Python
 * objects themselves live in is no native memory. Runs in the frozen copy.
 */
#ifndef REPORT_BENEATH_H
#define REPORT_BENEATH_H
#include <stdbool.h>
#include <stdint.h>

#include "native/roots.h"
#include "report/analysis.h"

/* Bytes that hang off one node: off it alone, or off several that it dominates. */
struct share {
	uint32_t enter;         /* of the node, in dominators.enter */
	bool plumbing;
	uint64_t bytes;
	uint64_t before, owned; /* sums of all shares up to here, without this one: of all, and without plumbing */
};

struct beneath {
	struct share *shares;   /* ascending by enter */
	uint32_t count;
	uint64_t fork_only;     /* that would be freed with all registrations, without plumbing */
};

/* beneath_find - of the objects for which @wanted[nodes] is not 0, with all that these dominate among them. Before
 * anything is named. What the objects show to be no pointer is cut from @roots. Return: 0, or -ENOMEM. Given back with
 * the copy's heap. */
int beneath_find(struct beneath *beneath, const struct analysis *analysis, struct roots *roots,
		 const uint8_t *wanted);

/* beneath_of - bytes under @node and what it dominates (a registration is a node). @plumbing: also under plumbing. */
uint64_t beneath_of(const struct beneath *beneath, const struct analysis *analysis, uint32_t node, bool plumbing);

#endif
