/* SPDX-License-Identifier: Apache-2.0 */
/* live.h - the live blocks of a report by allocation site, for people. */
#ifndef TOOLS_LIVE_H
#define TOOLS_LIVE_H
#include <stdbool.h>
#include <stdio.h>
#include "model.h"

/* live_report - totals, doubts, and at most @limit sites, most bytes first; stacks in short or @whole. */
void live_report(FILE *out, struct report *report, size_t limit, bool whole);

/* live_stack - @stack as rows "  LABEL function  place", innermost first: the nearest calls, and however far out it is
 * the first of the reader's own code; all of them if @whole. Nameless native calls of one module are one row, and the
 * interpreter's own between an import and the module's code are none. */
void live_stack(FILE *out, struct report *report, const char *label, const struct stack *stack, bool whole);

/* live_age - "between 130 ms and 5.2 s old", "5.2 s old"; "" where nothing is known. Return: @text. */
#define AGE_SIZE 160
char *live_age(char text[AGE_SIZE], int64_t newest_ns, int64_t oldest_ns);

#endif
