/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report reader, and all that prints from what it accepts, on any bytes. A libFuzzer target; with another compiler
 * than clang, mutate.c drives it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "export.h"
#include "handlers.h"
#include "live.h"
#include "load.h"
#include "show.h"
#include "why.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* clean - what a terminal may get: no control characters but line ends, in particular none of a report's texts. */
static void check_clean(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)text[i], next = (unsigned char)text[i + 1];

		if ((byte < ' ' && byte != '\n') || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0))
			abort();
	}
}

static void print_all(struct report *report)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	show_report(out, report, 10);
	handlers_report(out, report);
	why_report(out, report, "*", 50);
	why_report(out, report, "r0", 50);
	live_report(out, report, 10, false);
	live_report(out, report, SIZE_MAX, true);
	export_folded(out, report, samples_of(report), false);
	export_speedscope(out, report, samples_of(report));
	if (report->finding_count > 0)
		why_report(out, report, report->findings[0].fingerprint, 5);
	/* Nothing grows from a report to itself. */
	if (diff_reports(out, report, report))
		abort();
	if (fclose(out) != 0)
		abort();
	check_clean(text, size);
	free(text);
	out = open_memstream(&text, &size);
	if (!out)
		abort();
	export_pprof(out, report, samples_of(report));
	if (fclose(out) != 0)
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = malloc(size + 1), reason[REASON_SIZE];
	struct report *report;

	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	bytes[size] = '\0';
	reason[0] = '\0';
	report = report_parse("input", bytes, size, reason);
	free(bytes);
	if (report) {
		print_all(report);
		report_free(report);
	} else if (reason[0] == '\0' || memchr(reason, '\0', REASON_SIZE) == NULL) {
		abort();
	} else {
		check_clean(reason, strlen(reason));
		if (strchr(reason, '\n'))
			abort();
	}
	return 0;
}
