/* SPDX-License-Identifier: Apache-2.0 */
/* holders.h - who refers to an owner directly, by which path that referrer lives, and of what kind that is. */
#ifndef REPORT_HOLDERS_H
#define REPORT_HOLDERS_H
#include "report/analysis.h"

#define HOLDER_PATH_MAX 64u

struct holder {
	const char *kind;                   /* forkheld/report.h */
	const char *path[HOLDER_PATH_MAX];  /* interned; from a root to the owner */
	unsigned path_length;
	bool own;                           /* the owner dominates it: its own circle */
	uint32_t registration;              /* sequence in the ledger, for a fork registration; else REGISTRATION_NONE */
	uint32_t referrer;                  /* node; NODE_NONE for references that nobody shows */
};

/* holders_of - call @found for each direct referrer of @node: outside ones first, in node order. At most @limit.
 * Return: how many there are. Changes the frozen heap (dicts are made), so only after all sizes are known. */
struct path_search;
uint32_t holders_of(struct analysis *analysis, struct path_search *search, uint32_t node, uint32_t limit,
		    void (*found)(void *context, const struct holder *holder), void *context);

/* holder_through - fill @holder for the direct @referrer of @node (its other fields are set here too). */
void holder_through(struct analysis *analysis, struct path_search *search, uint32_t node, uint32_t referrer,
		    struct holder *holder);

/* holders_search - scratch for holders_of; free with path_search_free. */
struct path_search *holders_search(struct analysis *analysis);

#endif
