/* SPDX-License-Identifier: Apache-2.0 */
/* write.h - the report as JSON, section by section; field names as the report's man page says. */
#ifndef REPORT_WRITE_H
#define REPORT_WRITE_H
#include <jansson.h>

#include "report/allocations.h"
#include "report/analysis.h"
#include "report/beneath.h"
#include "report/findings.h"
#include "report/kept.h"
#include "report/leaks.h"
#include "report/report.h"

/* Everything that a report is made of. analysis, search: NULL where the Python heap was not looked at. */
struct material {
	const struct report_request *request;
	struct analysis *analysis;
	struct path_search *search;
	struct findings *findings;
	const char *retention_problem;  /* why there is no analysis, or NULL */
	uint64_t start_ns;              /* CLOCK_MONOTONIC when the analysis began */
	struct listed *listed;          /* the objects of the report; an object's id is its index */
	uint32_t listed_count;
	uint32_t *ids;                  /* [nodes] id + 1, 0: not listed */
	uint64_t objects_dropped;
	struct allocations *allocations; /* NULL where the blocks were not looked at */
	const char *allocations_problem; /* why not, or NULL */
	struct roots *roots;            /* the process's memory outside the heap; NULL where it was not asked for */
	const struct beneath *beneath;        /* NULL where native memory was not looked at */
	const char *beneath_problem;    /* why not, or NULL */
	const struct kept *kept;        /* NULL where what native handlers hold was not looked for */
	const char *kept_problem;       /* why not, or NULL */
	uint32_t blocks_listed;
	const struct leaks *leaks;      /* NULL where they were not asked for, or cannot be told */
	uint32_t next_registration;     /* the heap's registration that the next ledger entry may be */
};

struct listed {
	uint32_t node;
	uint64_t retained_objects, retained_bytes;
	uint32_t dominator;  /* id of the nearest listed object that dominates it, or LISTED_NONE */
	uint64_t block_bytes;  /* 0: its block is not recorded */
	uint32_t trace;        /* of its block's record */
};

#define LISTED_NONE UINT32_MAX

/* choose_objects - fill listed, ids and objects_dropped: every owner and every fork-only object that retains at
 * least the floor, most bytes first, as many as the limit allows. Before anything is named (sizes must be final).
 * Return: 0 or -ENOMEM. */
int choose_objects(struct material *material);
/* place_objects - of the listed objects: where they were allocated, what they occupy. Before anything is named, too. */
void place_objects(struct material *material);
/* find_beneath - the native memory under all that is fork-only or joint. After choose_objects, and
 * before anything is named. */
void find_beneath(struct material *material);
/* find_carefully - one of the three that look at all memory; a fault in it, in a copy, leaves only what it looks for
 * untold. Return: false then. */
bool find_carefully(struct material *material, void (*find)(struct material *));
/* find_kept - what native fork handlers hold. After what is native has its names, before findings. */
void find_kept(struct material *material);
/* find_leaks - with the option leaks: the blocks that nothing leads to. Before frames are named. */
void find_leaks(struct material *material);
json_t *write_leaks(const struct material *material);
/* write_beneath - bytes under @node (beneath_of); null where they are not known. */
json_t *write_beneath(const struct material *material, uint32_t node, bool plumbing);
/* blocks_lacking - NULL if each live block has a record, else why not. */
const char *blocks_lacking(const struct material *material);
/* object_id - null for a node that is not listed. */
json_t *object_id(const struct material *material, uint32_t node);

/* Each returns a new reference. */
json_t *write_process(const struct material *material);
json_t *write_snapshot(const struct material *material);
json_t *write_capabilities(const struct material *material);
json_t *write_forks(void);
json_t *write_allocations(const struct material *material);
/* write_origin - where the main owner of @nodes was allocated, and how many places there are; null where it is not
 * known. */
json_t *write_origin(const struct material *material, const struct numbers *nodes);
/* set_origin - allocated, allocated_approximate, age_ns, block_bytes of a listed object. */
void set_origin(json_t *object, const struct material *material, const struct listed *listed);
/* write_site - function, file and line of @frame; null if it says nothing. */
json_t *write_site(const struct frame *frame);
json_t *write_summary(const struct material *material);
json_t *write_own_build_id(void);

/* Elements, for json_out_array; @material: struct material. */
json_t *write_registration(void *material, uint32_t index);
json_t *write_object(void *material, uint32_t id);
json_t *write_block(void *material, uint32_t index);
/* write_kept_alone - bytes of the blocks that go with native @registration alone; null where that is not known. */
json_t *write_kept_alone(const struct material *material, uint32_t registration);

/* write_report - all of it to @fd. Return: 0 or a negative errno. */
int write_report(struct material *material, int fd);

extern const char *const phase_names[PHASES];

#endif
