/* SPDX-License-Identifier: Apache-2.0 */
/* show.h - one report for people. */
#ifndef TOOLS_SHOW_H
#define TOOLS_SHOW_H
#include <stdio.h>
#include "model.h"

/* show_report - header, doubts, and at most @limit findings as traces. */
void show_report(FILE *out, struct report *report, size_t limit);

/* show_process - one line: which process, and why the report was made. */
void show_process(FILE *out, const struct report *report);

#endif
