/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include <inttypes.h>
#include <string.h>

#include "text.h"

/* put_escaped - the separator cannot be part of a name; control characters were escaped by the loader, in the same
 * way. */
static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == ';')
			fputs("\\x3b", out);
		else
			fputc(*text, out);
	}
}

static void put_call(FILE *out, struct report *report, const struct call *call)
{
	put_escaped(out, export_function(report, call));
	if (call->place.file) {
		fputs(" (", out);
		put_escaped(out, calls_place(report, call));
		fputc(')', out);
	}
}

void export_folded(FILE *out, struct report *report, struct samples samples, bool counts)
{
	for (size_t i = 0; i < samples.count; i++) {
		const struct sample *sample = &samples.list[i];

		if (sample->unknown)
			fputs(sample->unknown, out);
		for (size_t j = sample->calls.count; j > 0; j--) {
			put_call(out, report, &sample->calls.list[j - 1]);
			if (j > 1)
				fputc(';', out);
		}
		fprintf(out, " %" PRId64 "\n", counts ? sample->count : sample->bytes);
	}
}
