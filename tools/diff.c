/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "diff.h"
#include "load.h"
#include "merge.h"
#include "text.h"
#include "verbs.h"

static const char usage[] =
	"usage: forkheld diff A B\n\n"
	"What grew from report A to report B: two snapshots of a process, or two runs. One line for each\n"
	"fingerprint whose count or bytes differ, one SUMMARY line.\n\n"
	"      --help  this text\n\n"
	"Either may be - for standard input. Exit status: 0 nothing grew; 1 something grew or is new;\n"
	"2 wrong command line; 3 a report that cannot be read or is incomplete.\n";

static const struct option options[] = {HELP_OPTION, {0}};

enum change { CHANGE_SAME, CHANGE_NEW, CHANGE_GREW, CHANGE_SHRANK, CHANGE_GONE, CHANGES };

static enum change change_of(const struct merged *old, const struct merged *new)
{
	if (!old)
		return CHANGE_NEW;
	if (!new)
		return CHANGE_GONE;
	if (new->count > old->count || new->bytes > old->bytes)
		return CHANGE_GREW;
	return new->count < old->count || new->bytes < old->bytes ? CHANGE_SHRANK : CHANGE_SAME;
}

static void put_change(FILE *out, const struct merged *old, const struct merged *new, enum change change)
{
	static const char *const names[CHANGES] = {"same", "new", "grew", "shrank", "gone"};
	const struct finding *finding = (new ? new : old)->finding;
	int64_t count[2] = {old ? old->count : 0, new ? new->count : 0};
	int64_t bytes[2] = {old ? old->bytes : 0, new ? new->bytes : 0};

	fprintf(out, "%s%-7s%s %s %s", change == CHANGE_NEW || change == CHANGE_GREW ? style.error : style.dim,
		names[change], style.off, finding->rule, finding->fingerprint);
	fprintf(out, " count=%" PRId64 "->%" PRId64 " (%+" PRId64 ")", count[0], count[1], count[1] - count[0]);
	fprintf(out, " bytes=%" PRId64 "->%" PRId64 " (%+" PRId64 ")", bytes[0], bytes[1], bytes[1] - bytes[0]);
	fprintf(out, "  %s\n", finding->message);
}

bool diff_reports(FILE *out, struct report *old, struct report *new)
{
	size_t counts[CHANGES] = {0};
	struct merge before, after;
	int64_t bytes = 0;

	merge_reports(&before, &old, 1);
	merge_reports(&after, &new, 1);
	for (size_t i = 0; i < after.count; i++) {
		const struct merged *match = merge_find(&before, after.items[i].finding->fingerprint);
		enum change change = change_of(match, &after.items[i]);

		counts[change]++;
		bytes = sum_of(bytes, after.items[i].bytes);
		if (change != CHANGE_SAME)
			put_change(out, match, &after.items[i], change);
	}
	for (size_t i = 0; i < before.count; i++) {
		if (merge_find(&after, before.items[i].finding->fingerprint))
			continue;
		counts[CHANGE_GONE]++;
		put_change(out, &before.items[i], NULL, CHANGE_GONE);
	}
	fprintf(out, "SUMMARY new=%zu grew=%zu same=%zu shrank=%zu gone=%zu bytes=%" PRId64 "\n", counts[CHANGE_NEW],
		counts[CHANGE_GREW], counts[CHANGE_SAME], counts[CHANGE_SHRANK], counts[CHANGE_GONE], bytes);
	merge_finish(&before);
	merge_finish(&after);
	return counts[CHANGE_NEW] + counts[CHANGE_GREW] > 0;
}

/* usable - what an incomplete report does not name is not gone: no answer is better than a wrong one. */
static bool usable(const struct report *report)
{
	if (report && !report->complete)
		fprintf(stderr, "forkheld: %s: incomplete: %s\n", report->file,
			report->reason ? report->reason : "no reason given");
	return report && report->complete;
}

int diff_main(int argc, char **argv)
{
	struct report *old, *new;
	int status;
	bool good;

	while (verb_options(argc, argv, ":h", options, usage) != -1)
		;
	if (argc - optind != 2)
		return verb_usage(argv, "needs two reports");
	if (strcmp(argv[optind], "-") == 0 && strcmp(argv[optind + 1], "-") == 0)
		return verb_usage(argv, "only one report can be standard input");
	old = report_load(argv[optind]);
	new = report_load(argv[optind + 1]);
	good = usable(old);
	good = usable(new) && good;
	if (good)
		status = diff_reports(stdout, old, new) ? STATUS_FOUND : STATUS_GOOD;
	else
		status = STATUS_REPORT;
	report_free(old);
	report_free(new);
	return status;
}
