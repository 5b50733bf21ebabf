/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbolize.h - names of native frames, after the fact: from the files of the report's modules, separate debug files
 * (.gnu_debuglink, /usr/lib/debug) and, where DEBUGINFOD_URLS is set, debuginfod. A file counts only if its build-id
 * is the one that the report has: another would give names that are wrong and look right. Needs elfutils' libdw;
 * without it no frame gets more than the report's own symbol.
 */
#ifndef TOOLS_SYMBOLIZE_H
#define TOOLS_SYMBOLIZE_H
#include <stdio.h>
#include "model.h"

/* symbols_start - from now on files are asked. Not called: they never are (the files that a report names are opened).
 * Owner: @report, symbols_stop() by report_free(). */
void symbols_start(struct report *report);
void symbols_stop(struct report *report);

/* symbols_find - give @frame, a native one of @report, its places, once. Without symbols_start it keeps none. */
void symbols_find(struct report *report, const struct frame *frame);

/* symbols_doubts - a line for each module that was asked for and gave no names, with the reason; at most @limit,
 * then how many more. */
void symbols_doubts(FILE *out, struct report *report, size_t limit);

#endif
