/* SPDX-License-Identifier: Apache-2.0 */
/* findings.h - the rules over the results: one finding for each fingerprint. */
#ifndef REPORT_FINDINGS_H
#define REPORT_FINDINGS_H
#include <stdbool.h>
#include <stdint.h>

#include "ledger/registrations.h"
#include "ledger/stacks.h"
#include "report/analysis.h"
#include "report/kept.h"
#include "report/numbers.h"

struct finding {
	const char *rule, *name, *level;
	char fingerprint[13];          /* 12 hex digits */
	const char *message, *fix;     /* interned */
	struct numbers registrations;  /* sequences, ascending */
	struct numbers objects;        /* owner nodes, ascending */
	struct numbers behind;         /* further owners that refer to them (report/behind.h): nodes, ascending */
	struct numbers blocks;         /* indexes of kept.blocks, ascending */
	struct numbers also;           /* while grouping: sequences of registrations of further owners alone */
	uint64_t count, bytes, freed;  /* freed: objects that bytes counts */
	struct frame site;             /* function and file NULL where unknown */
	bool inherited;                /* all of its registrations are */
	uint32_t seen;                 /* snapshots of this process that had it, this one included */
	/* While grouping: */
	const char *type, *callable, *holder;
};

struct findings {
	struct finding *list;
	uint32_t count, room;
};

/* findings_make - all rules. @analysis: NULL without Python's heap; @kept: NULL where blocks were not looked at.
 * Order: rule, bytes descending, fingerprint. Return: 0 or -ENOMEM. Given back with the copy's heap. */
int findings_make(struct findings *findings, struct analysis *analysis, struct path_search *search,
		  const struct kept *kept);

/* registration_site - where a registration was made: its innermost Python frame, else its innermost native one;
 * function NULL where it is not known. */
struct frame registration_site(const struct registration *record);

/* Grouping, for the rule files. findings_group: the finding of this rule, level and key, made on first sight. */
struct finding *findings_group(struct findings *findings, const char *rule, const char *name, const char *level,
			       const char *type, const char *callable, const char *holder);

/* findings_python: FH001 - FH003; findings_ledger: FH004, FH006 - FH008; findings_native: FH005. */
int findings_python(struct findings *findings, struct analysis *analysis, struct path_search *search);
int findings_ledger(struct findings *findings, const struct analysis *analysis);

int findings_native(struct findings *findings, const struct kept *kept);

/* findings_handler - a native handler in the words of a reader, interned: symbol and module. */
const char *findings_handler(const struct registration *record);

/* registration_callable - "module.qualname" of its first callable, interned. */
const char *registration_callable(const struct heap_registration *registration);

#endif
