/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"
#include "load.h"
#include "text.h"
#include "trace.h"
#include "verbs.h"

static const char usage[] =
	"usage: forkheld handlers REPORT\n\n"
	"All fork registrations in the order in which a fork runs them: before last-in first-out, parent and\n"
	"child first-in first-out. With os.fork, Python's run outside the C library's: before them, then after.\n"
	"Those that were removed, or are of another interpreter's end, stand last.\n\n"
	"      --help  this text\n\n"
	"Exit status: 0; 2 wrong command line; 3 a report that cannot be read.\n";

static const struct option options[] = {HELP_OPTION, {0}};

/* One line: one callable of one registration in one phase. */
struct row {
	const struct registration *registration;
	const struct callable *callable;
};

struct rows {
	struct row *items;
	size_t count;
};

static int compare_ledger(const struct registration *left, const struct registration *right)
{
	if (left->sequence != right->sequence)
		return left->sequence < right->sequence ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id;
}

/* Python's before handlers run before the C library's, its others after them. */
static int compare_run_order(const void *a, const void *b)
{
	const struct row *left = a, *right = b;
	bool before = left->callable->phase == PHASE_BEFORE;

	if (left->registration->native != right->registration->native)
		return left->registration->native == before ? 1 : -1;
	return before ? compare_ledger(right->registration, left->registration)
		: compare_ledger(left->registration, right->registration);
}

static int compare_removed(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	return compare_ledger(left->registration, right->registration);
}

/* rows_collect - the callables of @phase (PHASES: of all) whose registration is removed or not. */
static struct rows rows_collect(const struct report *report, enum phase phase, bool removed)
{
	struct rows rows = {0};
	size_t room = 0;

	for (size_t i = 0; i < report->registration_count; i++)
		room += report->registrations[i].callable_count;
	rows.items = take(room, sizeof(*rows.items));
	for (size_t i = 0; i < report->registration_count; i++) {
		const struct registration *registration = &report->registrations[i];

		for (size_t j = 0; j < registration->callable_count; j++)
			if ((registration->removed != NULL) == removed &&
			    (phase == PHASES || registration->callables[j].phase == phase))
				rows.items[rows.count++] = (struct row){registration, &registration->callables[j]};
	}
	if (rows.count > 0)
		qsort(rows.items, rows.count, sizeof(*rows.items),
			phase == PHASES ? compare_removed : compare_run_order);
	return rows;
}

static const struct handler *handler_of(const struct report *report, const struct row *row)
{
	for (size_t i = 0; i < report->handler_count; i++)
		if (report->handlers[i].registration == row->registration &&
		    report->handlers[i].phase == row->callable->phase)
			return &report->handlers[i];
	return NULL;
}

static const char *owner_of(struct pool *pool, const struct registration *registration)
{
	if (registration->owner)
		return pool_print(pool, "#%" PRId64 " %s", registration->owner->id, registration->owner->type);
	if (registration->owner_type)
		return registration->owner_type;
	return registration->owner_kind ? registration->owner_kind : "-";
}

static void put_flags(FILE *out, const struct registration *registration)
{
	if (registration->inherited)
		fputs(" inherited", out);
	if (registration->baseline)
		fputs(" marked", out);
	if (registration->interpreter > 0)
		fprintf(out, " interpreter=%" PRId64, registration->interpreter);
	if (registration->removed)
		fprintf(out, " removed=%s", registration->removed);
}

static void put_row(FILE *out, struct report *report, const struct row *row, size_t number)
{
	const struct registration *registration = row->registration;
	const struct frame *frame = registration_frame(registration);
	const struct handler *handler = report->handler_count <= 1000 ? handler_of(report, row) : NULL;
	int64_t calls = registration->calls[row->callable->phase];
	char id[WORD_SIZE], called[WORD_SIZE], time[WORD_SIZE];

	snprintf(id, sizeof(id), "r%" PRId64, registration->id);
	snprintf(called, sizeof(called), calls == UNKNOWN ? "-" : "%" PRId64, calls);
	fprintf(out, "%4zu  %-6s %-7s %-10s %6s  %-36s  %-28s  %s", number, id,
		registration->native ? "native" : "python", registration->strength ? registration->strength : "-",
		called,
		text_callable(&report->pool, row->callable), owner_of(&report->pool, registration),
		frame ? text_frame_place(&report->pool, frame) : "site unknown");
	put_flags(out, registration);
	if (handler && handler->max_ns != UNKNOWN)
		fprintf(out, " max=%s", text_time(time, handler->max_ns));
	fputc('\n', out);
}

static void put_rows(FILE *out, struct report *report, const char *title, struct rows rows)
{
	if (rows.count > 0) {
		fprintf(out, "%s%s%s\n", style.strong, title, style.off);
		fprintf(out, "%s%4s  %-6s %-7s %-10s %6s  %-36s  %-28s  %s%s\n", style.dim, "", "id", "kind",
			"strength", "calls", "callable", "owner", "site", style.off);
	}
	for (size_t i = 0; i < rows.count; i++)
		put_row(out, report, &rows.items[i], i + 1);
	free(rows.items);
}

void handlers_report(FILE *out, struct report *report)
{
	static const char *const titles[PHASES] = {"before (last in, first out)", "parent (first in, first out)",
		"child (first in, first out)"};
	char word[WORD_SIZE];

	fprintf(out, "%s", text_count(word, (int64_t)report->registration_count, "registration"));
	if (report->forks != UNKNOWN)
		fprintf(out, ", %s", text_count(word, report->forks, "fork"));
	if (report->registrations_dropped > 0)
		fprintf(out, ", %" PRId64 " more not recorded", report->registrations_dropped);
	fputc('\n', out);
	for (int phase = 0; phase < PHASES; phase++)
		put_rows(out, report, titles[phase], rows_collect(report, (enum phase)phase, false));
	put_rows(out, report, "removed (no longer run)", rows_collect(report, PHASES, true));
}

int handlers_main(int argc, char **argv)
{
	struct report *report;

	while (verb_options(argc, argv, ":h", options, usage) != -1)
		;
	if (argc - optind != 1)
		return verb_usage(argv, argc == optind ? "no report" : "more than one report");
	report = report_load(argv[optind]);
	if (!report)
		return STATUS_REPORT;
	handlers_report(stdout, report);
	report_free(report);
	return STATUS_GOOD;
}
