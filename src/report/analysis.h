/* SPDX-License-Identifier: Apache-2.0 */
/* analysis.h - the passes over the Python heap, and what they say of each owner. Runs in the frozen copy. */
#ifndef REPORT_ANALYSIS_H
#define REPORT_ANALYSIS_H
#include <stdbool.h>
#include <stdint.h>

#include "python/heap.h"
#include "python/running.h"
#include "retention/dominators.h"
#include "retention/path.h"
#include "retention/reach.h"

enum verdict { VERDICT_IN_USE, VERDICT_JOINT, VERDICT_FORK_ONLY };

/* An object behind at least one registration's plumbing. */
struct owner {
	uint32_t node;
	enum verdict verdict;
	uint32_t first_registration, registration_count;  /* in analysis.links: indexes of heap.registrations, ascending */
	uint32_t first_cut, cut_count;                    /* in analysis.cuts: the registry edges that lead to it */
	bool module_registry;                             /* one of them hangs off a module */
	uint64_t retained_objects, retained_bytes;
};

struct freed { uint64_t objects, bytes; };

struct analysis {
	struct heap heap;
	uint8_t *reach;              /* [nodes] enum reach */
	uint32_t *parent;            /* [nodes] shortest paths */
	uint8_t *behind;             /* [nodes] 0: reached without passing any owner; the dominators are of the rest */
	uint8_t *candidates;         /* [nodes] non-zero: dies with all registrations and registry edges */
	struct dominators dominators;
	struct path_map map;
	struct reach_scratch *scratch;
	struct owner *owners;        /* ascending by node */
	uint32_t owner_count;
	uint32_t *links;
	struct cut_edge *cuts;       /* sorted by from, to within all owners: see owner_cuts for one owner's */
	uint32_t cut_count;
	struct cut_edge *owner_cuts; /* grouped by owner */
	uint8_t *seen;               /* [nodes] behind.c's own: all 0 between its calls; made at the first */
	uint32_t named_container;    /* the last whose path was made, for findings_python.c */
	const char *named_path;
	bool frozen;                 /* in the copy, where frames may be looked into; what they name, once asked for: */
	bool looked_at_frames;
	struct running running;
	struct freed fork_only, joint;   /* without plumbing */
};

/* analysis_run - collect and judge. With the GIL. Return: 0 or a negative errno. What it allocates is
 * given back with the copy's heap, as a whole. */
int analysis_run(struct analysis *analysis);

/* analysis_owner - the owner at @node, or NULL. */
struct owner *analysis_owner(const struct analysis *analysis, uint32_t node);

/* analysis_main_owner - of a registration: the owner that retains most (ties: phase order, then position), or NULL. */
struct owner *analysis_main_owner(const struct analysis *analysis, const struct heap_registration *registration);

/* analysis_frees - what dies if registration @index alone goes, without its plumbing. */
struct freed analysis_frees(struct analysis *analysis, uint32_t index);

/* analysis_freed - what dies if the @drops registrations @dropped (sorted indexes) and the @cuts registry edges go,
 * without plumbing. Return: 0 or -ENOMEM. */
int analysis_freed(struct analysis *analysis, const uint32_t *dropped, uint32_t drops, const struct cut_edge *cut,
		   uint32_t cuts, struct freed *freed);

#endif
