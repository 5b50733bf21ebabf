/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "load.h"
#include "merge.h"
#include "show.h"
#include "symbolize.h"
#include "text.h"
#include "trace.h"
#include "verbs.h"

#define DEFAULT_SHOWN 10

static const char usage[] =
	"usage: forkheld show [--live [--stacks]] [-a | -n N] [--no-symbols] REPORT...\n\n"
	"The findings of each report as retention traces, or all live blocks by the place where they were\n"
	"allocated; most bytes first.\n\n"
	"  -l, --live        live blocks by allocation site\n"
	"  -n, --number N    show at most N findings or sites of a report (default 10)\n"
	"  -a, --all         show all of them\n"
	"  -s, --stacks      with --live: stacks whole, not only their nearest calls\n"
	"      --no-symbols  open no file for the names and lines of native code\n"
	"      --help        this text\n\n"
	"REPORT may be - for standard input.\n"
	"Exit status: 0; 2 wrong command line; 3 a report that cannot be read.\n";

static const struct option options[] = {
	{"number", required_argument, NULL, 'n'},
	{"all", no_argument, NULL, 'a'},
	{"live", no_argument, NULL, 'l'},
	{"stacks", no_argument, NULL, 's'},
	{"no-symbols", no_argument, NULL, 'N'},
	HELP_OPTION,
	{0},
};

static void put_count(FILE *out, int64_t count, const char *noun, enum level level)
{
	char word[WORD_SIZE];

	fprintf(out, "%s%s%s", count > 0 ? text_level(level) : "", text_count(word, count, noun),
		count > 0 ? style.off : "");
}

/* looked_at - was the Python heap analysed? If not, its sums are no news. */
static bool looked_at(const struct report *report)
{
	for (size_t i = 0; i < report->capability_count; i++)
		if (strcmp(report->capabilities[i].name, "python.retention") == 0)
			return strcmp(report->capabilities[i].state, "none") != 0;
	return false;
}

void show_process(FILE *out, const struct report *report)
{
	fprintf(out, "%s%s%s  pid %" PRId64, style.strong, report->exe ? report->exe : "unknown program", style.off,
		report->pid);
	if (report->has_python)
		fprintf(out, "  python %s", report->python_version ? report->python_version : "of unknown version");
	fprintf(out, "  %s%s%s", report->trigger, report->label ? " " : "", report->label ? report->label : "");
	fprintf(out, "  %s\n", report->time ? report->time : "");
}

static void put_header(FILE *out, const struct report *report)
{
	int64_t counts[LEVEL_ERROR + 1] = {0};
	char size[WORD_SIZE], objects[WORD_SIZE];

	for (size_t i = 0; i < report->finding_count; i++)
		counts[report->findings[i].level]++;
	show_process(out, report);
	put_count(out, counts[LEVEL_ERROR], "error", LEVEL_ERROR);
	fputs(", ", out);
	put_count(out, counts[LEVEL_WARNING], "warning", LEVEL_WARNING);
	fputs(", ", out);
	put_count(out, counts[LEVEL_NOTE], "note", LEVEL_NOTE);
	fprintf(out, "; %s", text_count(objects, (int64_t)report->registration_count, "registration"));
	if (report->fork_only_objects != UNKNOWN && looked_at(report))
		fprintf(out, "; %s held by fork registrations alone: %s",
			text_count(objects, report->fork_only_objects, "object"),
			text_size(size, report->fork_only_bytes));
	if (report->joint_objects > 0)
		fprintf(out, "; %s together with containers: %s", text_count(objects, report->joint_objects, "object"),
			text_size(size, report->joint_bytes));
	fputc('\n', out);
}

/* put_doubts - what makes this report say less than it could: the reader must not take silence for health. */
static void put_doubts(FILE *out, const struct report *report)
{
	if (!report->complete)
		fprintf(out, "%sincomplete%s: %s\n", style.error, style.off,
			report->reason ? report->reason : "the report gives no reason");
	for (size_t i = 0; i < report->capability_count; i++) {
		const struct capability *capability = &report->capabilities[i];
		bool python = strncmp(capability->name, "python.", 7) == 0;
		bool expected = python ? report->has_python : strcmp(capability->name, "native.registrations") == 0;

		/* What is "none" because there is nothing of the kind, or not built yet, would only be noise. */
		if (strcmp(capability->state, "partial") == 0 || (strcmp(capability->state, "none") == 0 && expected))
			fprintf(out, "%s%s%s: %s%s%s\n", style.warning, capability->name, style.off, capability->state,
				capability->reason ? ", " : "", capability->reason ? capability->reason : "");
	}
	if (report->registrations_dropped > 0)
		fprintf(out, "%" PRId64 " registrations were dropped from the ledger\n", report->registrations_dropped);
	for (size_t i = 0; i < report->note_count; i++)
		fprintf(out, "note: %s\n", report->notes[i]);
}

void show_report(FILE *out, struct report *report, size_t limit)
{
	const struct finding **order = take(report->finding_count, sizeof(*order));

	for (size_t i = 0; i < report->finding_count; i++)
		order[i] = &report->findings[i];
	qsort(order, report->finding_count, sizeof(*order), compare_findings);
	put_header(out, report);
	put_doubts(out, report);
	for (size_t i = 0; i < report->finding_count && i < limit; i++) {
		fputc('\n', out);
		trace_print(out, report, order[i]);
	}
	if (report->finding_count > limit)
		fprintf(out, "\n%sand %zu more (--all shows them)%s\n", style.dim, report->finding_count - limit,
			style.off);
	free(order);
}

static size_t number_of(char **argv, const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (end == text || *end || strchr(text, '-') || number > 1000000000)
		exit(verb_usage(argv, "'%s' is not a number", text));
	return number;
}

int show_main(int argc, char **argv)
{
	bool live = false, stacks = false, symbols = true;
	size_t limit = DEFAULT_SHOWN;
	int option, status = STATUS_GOOD;

	while ((option = verb_options(argc, argv, ":aln:sh", options, usage)) != -1) {
		switch (option) {
		case 'l': live = true; break;
		case 's': stacks = true; break;
		case 'N': symbols = false; break;
		default: limit = option == 'a' ? SIZE_MAX : number_of(argv, optarg);
		}
	}
	if (optind == argc)
		return verb_usage(argv, "no report");
	if (stacks && !live)
		return verb_usage(argv, "--stacks is for --live");
	for (int i = optind; i < argc; i++) {
		struct report *report = report_load(argv[i]);

		if (!report) {
			status = STATUS_REPORT;
			continue;
		}
		if (symbols)
			symbols_start(report);
		if (i > optind)
			putchar('\n');
		if (argc - optind > 1)
			printf("%s%s:%s\n", style.dim, report->file, style.off);
		if (live)
			live_report(stdout, report, limit, stacks);
		else
			show_report(stdout, report, limit);
		report_free(report);
	}
	return status;
}
