/* SPDX-License-Identifier: Apache-2.0 */
/* export.h - the live blocks of a report in the formats of viewers that people have. */
#ifndef TOOLS_EXPORT_H
#define TOOLS_EXPORT_H
#include <stdbool.h>
#include <stdio.h>
#include "calls.h"
#include "model.h"

/* What is exported: the report's sites, and as one more what the report only sums, so that the totals are the
 * report's. */
struct sample {
	struct calls calls;             /* none: see @unknown */
	const char *unknown;            /* what stands in place of the calls */
	const char *allocator;          /* "python", "native"; NULL: both */
	int64_t count, bytes;
};

struct samples {
	const struct sample *list;
	size_t count;
};

/* samples_of - with names looked for as far as symbols_start (symbolize.h) allows. Owner: the report's pool. */
struct samples samples_of(struct report *report);

/* export_function - how a call is named where there is only one text: its function, or MODULE+0xOFFSET where that
 * is not known. Owner: the report's pool. */
const char *export_function(struct report *report, const struct call *call);

/* One function a format. The output's errors are the stream's. */

/* export_folded - "OUTERMOST;...;INNERMOST NUMBER" lines for flamegraph.pl, inferno and others: bytes, or blocks
 * if @counts. */
void export_folded(FILE *out, struct report *report, struct samples samples, bool counts);
/* export_speedscope - the JSON of speedscope.app: one profile in bytes, one in blocks. */
void export_speedscope(FILE *out, struct report *report, struct samples samples);
/* export_pprof - a profile.proto message, not compressed: inuse_objects and inuse_space. */
void export_pprof(FILE *out, struct report *report, struct samples samples);

#endif
