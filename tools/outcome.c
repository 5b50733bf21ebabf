/* SPDX-License-Identifier: Apache-2.0 */
#include "outcome.h"

#include <forkheld/report.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "clean.h"
#include "load.h"
#include "merge.h"
#include "pool.h"
#include "text.h"

/* Reports read for the counts, and names printed: a server can leave thousands. */
#define READ_LIMIT 1000
#define NAME_LIMIT 4

struct outcome {
	char **files;
	struct report **reports;
	size_t count, read, own;        /* own: reports of the command's own process, which come first */
};

static void put_names(FILE *out, const struct outcome *outcome, size_t count)
{
	char name[1024];

	for (size_t i = 0; i < count && i < NAME_LIMIT; i++)
		fprintf(out, "%s%s", i > 0 ? " " : "", clean_line(name, sizeof(name), outcome->files[i]));
}

/* put_worth_showing - the reports with findings, the command's own first; else the last of its own: after exec, that is
 * the program that was meant. */
static void put_worth_showing(FILE *out, const struct outcome *outcome)
{
	size_t shown = 0, last = outcome->own ? outcome->own - 1 : 0;
	char name[1024];

	for (size_t i = 0; i < outcome->read && shown < NAME_LIMIT; i++)
		if (outcome->reports[i] && outcome->reports[i]->finding_count > 0)
			fprintf(out, "%s%s", shown++ ? " " : "", clean_line(name, sizeof(name), outcome->files[i]));
	if (shown == 0)
		fputs(clean_line(name, sizeof(name), outcome->files[last]), out);
}

static bool only_findings(const char *options)
{
	return options && strstr(options, "report=findings");
}

static void put_no_report(FILE *out, const struct pattern *pattern, const struct program *program, const char *options,
			  int status)
{
	char line[1024];

	fputs("forkheld: no report was written: ", out);
	if (program_obstacle(program))
		fputs("none was possible\n", out);
	else if (WIFSIGNALED(status))
		fprintf(out, "signal %d (%s) ended the program before it could be looked at\n", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else if (only_findings(options))
		fputs("there are no findings (report=findings)\n", out);
	else if (pattern_is_tight(pattern))
		fprintf(out, "less than %u KiB are free in %s\n", PATTERN_ROOM_KIB,
			clean_line(line, sizeof(line), pattern->directory));
	else
		fputs("the reason is not known; forkheld doctor may tell\n", out);
}

/* own_first - the command's own reports to the front, in order: exec leaves one for each program it became. */
static void own_first(struct outcome *outcome, pid_t pid)
{
	for (size_t i = 0; i < outcome->read; i++) {
		char *file = outcome->files[i];
		struct report *report = outcome->reports[i];

		if (!report || report->pid != pid)
			continue;
		memmove(&outcome->files[outcome->own + 1], &outcome->files[outcome->own],
			(i - outcome->own) * sizeof(*outcome->files));
		memmove(&outcome->reports[outcome->own + 1], &outcome->reports[outcome->own],
			(i - outcome->own) * sizeof(*outcome->reports));
		outcome->files[outcome->own] = file;
		outcome->reports[outcome->own++] = report;
	}
}

static void put_counts(FILE *out, const struct outcome *outcome)
{
	size_t counts[LEVEL_ERROR + 1] = {0};
	char word[WORD_SIZE];
	struct merge merge;

	merge_reports(&merge, outcome->reports, outcome->read);
	for (size_t i = 0; i < merge.count; i++)
		counts[merge.items[i].level]++;
	if (merge.count == 0)
		fputs("no findings", out);
	for (int level = LEVEL_ERROR; merge.count > 0 && level >= LEVEL_NOTE; level--)
		fprintf(out, "%s%s", text_count(word, (int64_t)counts[level], level_names[level]),
			level > LEVEL_NOTE ? ", " : "");
	merge_finish(&merge);
}

/* last_is_missing - the last of the command's own reports says that it became another program, of which there is none:
 * it could not be seen, was killed, or its report could not be written. */
static bool last_is_missing(const struct outcome *outcome, const char *options)
{
	return outcome->own > 0 && outcome->read == outcome->count &&
	       strcmp(outcome->reports[outcome->own - 1]->trigger, "exec") == 0 && !only_findings(options);
}

static void put_reports(FILE *out, const struct outcome *outcome, const char *options)
{
	size_t others = outcome->count - outcome->own, named = outcome->own ? outcome->own : outcome->count;
	size_t incomplete = 0;

	fputs("forkheld: ", out);
	put_counts(out, outcome);
	fputs(" in ", out);
	put_names(out, outcome, named);
	if (named > NAME_LIMIT)
		fprintf(out, " and %zu more", named - NAME_LIMIT);
	if (outcome->own > 0 && others > 0)
		fprintf(out, " and %zu of descendants", others);
	else if (outcome->own == 0)
		fputs(" (of descendants; none of the command itself)", out);
	for (size_t i = 0; i < outcome->read; i++)
		incomplete += outcome->reports[i] && !outcome->reports[i]->complete;
	if (incomplete > 0)
		fprintf(out, " (%zu incomplete)", incomplete);
	if (last_is_missing(outcome, options))
		fputs(", but what the command executed last left no report", out);
	fputs("; run: forkheld show ", out);
	put_worth_showing(out, outcome);
	fputc('\n', out);
}

void outcome_print(FILE *out, const struct pattern *pattern, const struct program *program, const char *options,
		   pid_t pid, int status)
{
	struct outcome outcome = {0};
	char line[1024];

	if (!pattern->directory) {
		fprintf(out, "forkheld: reports went to %s\n", clean_line(line, sizeof(line), pattern->shown));
		return;
	}
	outcome.count = pattern_after(pattern, &outcome.files);
	outcome.read = outcome.count < READ_LIMIT ? outcome.count : READ_LIMIT;
	outcome.reports = take(outcome.read, sizeof(*outcome.reports));
	for (size_t i = 0; i < outcome.read; i++)
		outcome.reports[i] = report_load(outcome.files[i]);
	own_first(&outcome, pid);
	if (outcome.count == 0)
		put_no_report(out, pattern, program, options, status);
	else
		put_reports(out, &outcome, options);
	for (size_t i = 0; i < outcome.read; i++)
		report_free(outcome.reports[i]);
	for (size_t i = 0; i < outcome.count; i++)
		free(outcome.files[i]);
	free(outcome.reports);
	free(outcome.files);
}
