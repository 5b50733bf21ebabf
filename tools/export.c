/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clean.h"
#include "load.h"
#include "symbolize.h"
#include "text.h"
#include "verbs.h"

static const char usage[] =
	"usage: forkheld export --format FORMAT [-o FILE] [--counts] [--no-symbols] REPORT\n\n"
	"The live blocks of a report by allocation stack, for other people's viewers.\n\n"
	"  -f, --format FORMAT  folded (flamegraph.pl, inferno), speedscope (speedscope.app) or\n"
	"                       pprof (go tool pprof and others; a binary file)\n"
	"  -o, --output FILE    write there, not to standard output\n"
	"  -c, --counts         folded: blocks in place of bytes; the other formats have both\n"
	"      --no-symbols     open no file for the names and lines of native code\n"
	"      --help           this text\n\n"
	"REPORT may be - for standard input.\n"
	"Exit status: 0; 2 wrong command line, or FILE cannot be written; 3 a report that cannot be read, or\n"
	"that lists no live blocks.\n";

static const struct option options[] = {
	{"format", required_argument, NULL, 'f'},
	{"output", required_argument, NULL, 'o'},
	{"counts", no_argument, NULL, 'c'},
	{"no-symbols", no_argument, NULL, 'N'},
	HELP_OPTION,
	{0},
};

enum format { FORMAT_FOLDED, FORMAT_SPEEDSCOPE, FORMAT_PPROF, FORMATS };
static const char *const formats[FORMATS] = {"folded", "speedscope", "pprof"};

struct samples samples_of(struct report *report)
{
	const struct allocations *all = &report->allocations;
	struct sample *list = pool_take(&report->pool, all->site_count + 1, sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; i < all->site_count; i++) {
		const struct site *site = &all->sites[i];

		list[count] = (struct sample){
			.calls = calls_of(report, site->stack),
			.allocator = site->python ? "python" : "native",
			.count = site->count,
			.bytes = site->bytes,
		};
		if (list[count].calls.count == 0)
			list[count].unknown = "[site unknown]";
		count++;
	}
	if (all->dropped_count > 0 || all->dropped_bytes > 0)
		list[count++] = (struct sample){
			.unknown = "[sites not listed in the report]",
			.count = sum_of(all->dropped_count, 0),
			.bytes = sum_of(all->dropped_bytes, 0),
		};
	return (struct samples){list, count};
}

const char *export_function(struct report *report, const struct call *call)
{
	if (call->frame->native && strcmp(call->function, "?") == 0)
		return text_frame_place(&report->pool, call->frame);
	return call->function;
}

static void write_format(FILE *out, struct report *report, enum format format, bool counts)
{
	struct samples samples = samples_of(report);

	switch (format) {
	case FORMAT_FOLDED:
		export_folded(out, report, samples, counts);
		break;
	case FORMAT_SPEEDSCOPE:
		export_speedscope(out, report, samples);
		break;
	default:
		export_pprof(out, report, samples);
	}
}

static int complain(const char *file, int error)
{
	char line[1024];

	fprintf(stderr, "forkheld: %s: %s\n", clean_line(line, sizeof(line), file), strerror(error));
	return STATUS_USAGE;
}

/* write_file - whole, or not there. */
static int write_file(struct report *report, const char *file, enum format format, bool counts)
{
	FILE *out = fopen(file, "we");
	int error;

	if (!out)
		return complain(file, errno);
	errno = 0;
	write_format(out, report, format, counts);
	error = fflush(out) != 0 || ferror(out) ? errno ? errno : EIO : 0;
	if (fclose(out) != 0 && !error)
		error = errno;
	if (!error)
		return STATUS_GOOD;
	/* Nothing but a file of its own can be taken back; a device cannot. */
	if (truncate(file, 0) == 0)
		unlink(file);
	return complain(file, error);
}

static int refuse(const struct report *report)
{
	const char *reason = NULL;

	for (size_t i = 0; i < report->capability_count && !reason; i++)
		if (strcmp(report->capabilities[i].name, "blocks") == 0)
			reason = report->capabilities[i].reason;
	fprintf(stderr, "forkheld: %s: lists no live blocks%s%s\n", report->file, reason ? ": " : "",
		reason ? reason : "");
	return STATUS_REPORT;
}

static int format_of(char **argv, const char *text)
{
	for (int i = 0; i < FORMATS; i++)
		if (strcmp(formats[i], text) == 0)
			return i;
	exit(verb_usage(argv, "'%s' is not a format: folded, speedscope or pprof", text));
}

int export_main(int argc, char **argv)
{
	const char *file = NULL;
	bool counts = false, symbols = true;
	struct report *report;
	int option, format = -1, status = STATUS_GOOD;

	while ((option = verb_options(argc, argv, ":f:o:ch", options, usage)) != -1) {
		switch (option) {
		case 'f': format = format_of(argv, optarg); break;
		case 'o': file = optarg; break;
		case 'c': counts = true; break;
		default: symbols = false;
		}
	}
	if (format < 0)
		return verb_usage(argv, "no --format: folded, speedscope or pprof");
	if (counts && format != FORMAT_FOLDED)
		return verb_usage(argv, "--counts is for the format folded");
	if (argc - optind != 1)
		return verb_usage(argv, argc == optind ? "no report" : "more than one report");
	if (file && strcmp(file, "-") == 0)
		file = NULL;
	if (!file && format == FORMAT_PPROF && isatty(STDOUT_FILENO))
		return verb_usage(argv, "pprof is binary and no text for a terminal: name a file with -o");
	report = report_load(argv[optind]);
	if (!report)
		return STATUS_REPORT;
	if (symbols)
		symbols_start(report);
	if (!report->has_allocations)
		status = refuse(report);
	else if (file)
		status = write_file(report, file, (enum format)format, counts);
	else
		write_format(stdout, report, (enum format)format, counts);
	report_free(report);
	return status;
}
