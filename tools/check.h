/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - what `forkheld check` found out, and its two ways to say it. */
#ifndef TOOLS_CHECK_H
#define TOOLS_CHECK_H
#include <stdbool.h>
#include <stdio.h>
#include "merge.h"
#include "model.h"
#include "suppressions.h"

struct check_input {
	const char *file;
	struct report *report;  /* NULL: unreadable */
	const char *problem;    /* NULL: none */
};

/* What a finding counts as. */
enum judged_state {
	JUDGED_FAILS,
	JUDGED_PASSES,          /* below what --fail-on names */
	JUDGED_BASELINE,
	JUDGED_SUPPRESSED,
	JUDGED_STATES
};

struct judged {
	const struct merged *merged;
	enum judged_state state;
	const struct suppression *suppression;
};

struct check {
	/* The command line. */
	const char **baseline_files, **suppression_files, *write_file;
	size_t baseline_count, suppression_file_count;
	bool json, fail_given;
	int fail_level;                 /* with fail_given: this level and worse; LEVEL_ERROR + 1: no level */
	unsigned fail_rules, required;  /* bits: index in FORKHELD_RULES, FORKHELD_CAPABILITIES */

	/* What was read. */
	struct check_input *inputs;
	struct report **reports, **baselines;
	size_t input_count;
	struct suppressions suppressions;

	/* What came out. */
	struct merge merge, known;
	struct judged *judged;          /* as merge.items */
	size_t states[JUDGED_STATES], levels[LEVEL_ERROR + 1];
	size_t problems, stale, unreviewed;
};

extern const char *const check_rules[];

/* check_print_lines - a line a finding (those of a baseline and suppressed ones are only counted), a line a stale
 * suppression, the SUMMARY line. */
void check_print_lines(FILE *out, const struct check *check, int status);
/* check_print_json - one object with everything, suppressed findings too. */
void check_print_json(FILE *out, const struct check *check, int status);

#endif
