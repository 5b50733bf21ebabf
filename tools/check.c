/* SPDX-License-Identifier: Apache-2.0 */
#include <forkheld/report.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "load.h"
#include "verbs.h"

static const char usage[] =
	"usage: forkheld check [OPTION...] REPORT...\n\n"
	"For scripts: one line for each finding over all reports, then one SUMMARY line.\n\n"
	"      --baseline FILE            a report: its findings are known and do not fail\n"
	"      --suppressions FILE        lines \"FINGERPRINT [RULE]  # reason\": accepted findings\n"
	"      --write-suppressions FILE  write the failing findings as suppressions, and pass\n"
	"      --fail-on LEVEL|RULE[,...] what fails: error (the default), warning, note: that level and\n"
	"                                 worse; FH001 ...: that rule at any level\n"
	"      --require CAPABILITY[,...] what every report must have in full, in place of the default\n"
	"                                 (with a Python: python.registrations, python.retention)\n"
	"      --json                     one JSON object in place of the lines\n"
	"      --help                     this text\n\n"
	"All but --write-suppressions and --json may be repeated. REPORT may be - for standard input.\n"
	"Exit status: 0 clean; 1 findings; 2 wrong command line or suppressions file; 3 a report missing,\n"
	"unreadable or incomplete, or a required capability not full. 2 goes before 3, 3 before 1.\n";

enum { BASELINE = 256, SUPPRESSIONS, WRITE_SUPPRESSIONS, FAIL_ON, REQUIRE, JSON };

static const struct option options[] = {
	{"baseline", required_argument, NULL, BASELINE},
	{"suppressions", required_argument, NULL, SUPPRESSIONS},
	{"write-suppressions", required_argument, NULL, WRITE_SUPPRESSIONS},
	{"fail-on", required_argument, NULL, FAIL_ON},
	{"require", required_argument, NULL, REQUIRE},
	{"json", no_argument, NULL, JSON},
	HELP_OPTION,
	{0},
};

#define RULE_ID(id, name, level) #id,
const char *const check_rules[] = {FORKHELD_RULES(RULE_ID) NULL};
#define CAPABILITY_NAME(id, name) name,
static const char *const capabilities[] = {FORKHELD_CAPABILITIES(CAPABILITY_NAME) NULL};

static int index_of(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

static int add_fail_on(struct check *check, char **argv, char *list)
{
	char *rest;

	for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		int rule = index_of(check_rules, word), level = index_of(level_names, word);

		if (rule < 0 && level < 0)
			return verb_usage(argv, "--fail-on: '%s' is neither a level nor a rule", word);
		if (rule >= 0)
			check->fail_rules |= 1u << rule;
		else if (level < check->fail_level)
			check->fail_level = level;
		check->fail_given = true;
	}
	return check->fail_given ? STATUS_GOOD : verb_usage(argv, "--fail-on: no level and no rule");
}

static int add_required(struct check *check, char **argv, char *list)
{
	char *rest;

	for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		int capability = index_of(capabilities, word);

		if (capability < 0)
			return verb_usage(argv, "--require: there is no capability '%s'", word);
		check->required |= 1u << capability;
	}
	return check->required ? STATUS_GOOD : verb_usage(argv, "--require: no capability");
}

static int add_file(const char ***files, size_t *count, const char *file)
{
	*files = take_again(*files, *count + 1, sizeof(**files));
	(*files)[(*count)++] = file;
	return STATUS_GOOD;
}

static int read_options(struct check *check, int argc, char **argv)
{
	int option, status = STATUS_GOOD;

	while (status == STATUS_GOOD && (option = verb_options(argc, argv, ":h", options, usage)) != -1) {
		switch (option) {
		case BASELINE:
			status = add_file(&check->baseline_files, &check->baseline_count, optarg);
			break;
		case SUPPRESSIONS:
			status = add_file(&check->suppression_files, &check->suppression_file_count, optarg);
			break;
		case WRITE_SUPPRESSIONS:
			check->write_file = optarg;
			break;
		case FAIL_ON:
			status = add_fail_on(check, argv, optarg);
			break;
		case REQUIRE:
			status = add_required(check, argv, optarg);
			break;
		case JSON:
			check->json = true;
		}
	}
	if (status == STATUS_GOOD && optind == argc)
		status = verb_usage(argv, "no report");
	return status;
}

static const char *state_of(const struct report *report, const char *name, const char **reason)
{
	for (size_t i = 0; i < report->capability_count; i++) {
		if (strcmp(report->capabilities[i].name, name) == 0) {
			*reason = report->capabilities[i].reason;
			return report->capabilities[i].state;
		}
	}
	*reason = "the report does not name it";
	return "none";
}

/* doubt - what is wrong with a report that can be read, or NULL. */
static const char *doubt(const struct check *check, struct report *report)
{
	if (!report->complete)
		return pool_print(&report->pool, "incomplete: %s", report->reason ? report->reason : "no reason given");
	for (int i = 0; capabilities[i]; i++) {
		bool python = strcmp(capabilities[i], "python.registrations") == 0 ||
			strcmp(capabilities[i], "python.retention") == 0;
		bool wanted = check->required ? check->required & 1u << i : python && report->has_python;
		const char *reason, *state = state_of(report, capabilities[i], &reason);

		if (wanted && strcmp(state, "full") != 0)
			return pool_print(&report->pool, "%s is %s, not full%s%s", capabilities[i], state,
				reason ? ": " : "", reason ? reason : "");
	}
	return NULL;
}

static void load_reports(struct check *check, char **files, size_t count)
{
	check->inputs = take(count, sizeof(*check->inputs));
	check->reports = take(count, sizeof(*check->reports));
	check->input_count = count;
	for (size_t i = 0; i < count; i++) {
		struct report *report = report_load(files[i]);

		check->reports[i] = report;
		check->inputs[i] = (struct check_input){files[i], report, report ? doubt(check, report) : "unreadable"};
		if (check->inputs[i].problem)
			check->problems++;
		if (report && check->inputs[i].problem)
			fprintf(stderr, "forkheld: %s: %s\n", report->file, check->inputs[i].problem);
	}
	merge_reports(&check->merge, check->reports, count);
}

static void load_baselines(struct check *check)
{
	check->baselines = take(check->baseline_count, sizeof(*check->baselines));
	for (size_t i = 0; i < check->baseline_count; i++) {
		struct report *report = check->baselines[i] = report_load(check->baseline_files[i]);

		if (report && !report->complete)
			fprintf(stderr, "forkheld: %s: incomplete: %s\n", report->file,
				report->reason ? report->reason : "no reason given");
		if (!report || !report->complete)
			check->problems++;
	}
	merge_reports(&check->known, check->baselines, check->baseline_count);
}

static bool fails(const struct check *check, const struct merged *merged)
{
	int rule = index_of(check_rules, merged->finding->rule);

	if (!check->fail_given)
		return merged->level >= LEVEL_ERROR;
	return (int)merged->level >= check->fail_level || (rule >= 0 && check->fail_rules & 1u << rule);
}

/* judge - a baseline covers a finding up to the level that it has there: an inherited copy is a note, the parent's own
 * finding must not hide behind it. */
static void judge(struct check *check)
{
	check->judged = take(check->merge.count, sizeof(*check->judged));
	for (size_t i = 0; i < check->merge.count; i++) {
		struct merged *merged = &check->merge.items[i];
		const struct merged *known = merge_find(&check->known, merged->finding->fingerprint);
		struct judged *judged = &check->judged[i];

		judged->merged = merged;
		judged->suppression = suppressions_match(&check->suppressions, merged->finding);
		if (judged->suppression)
			judged->state = JUDGED_SUPPRESSED;
		else if (known && known->level >= merged->level)
			judged->state = JUDGED_BASELINE;
		else
			judged->state = fails(check, merged) ? JUDGED_FAILS : JUDGED_PASSES;
		check->states[judged->state]++;
		if (judged->suppression && judged->suppression->unreviewed)
			check->unreviewed++;
		if (judged->state == JUDGED_FAILS || judged->state == JUDGED_PASSES)
			check->levels[merged->level]++;
	}
	for (size_t i = 0; i < check->suppressions.count; i++)
		if (check->suppressions.items[i].fingerprint && !check->suppressions.items[i].used)
			check->stale++;
}

static int write_suppressions(struct check *check)
{
	const struct merged **failing = take(check->merge.count, sizeof(*failing));
	size_t count = 0;
	bool good = false;

	for (size_t i = 0; i < check->merge.count; i++)
		if (check->judged[i].state == JUDGED_FAILS)
			failing[count++] = check->judged[i].merged;
	if (check->problems > 0)
		fprintf(stderr, "forkheld: suppressions not written: findings may be missing\n");
	else
		good = suppressions_write(&check->suppressions, check->write_file, failing, count);
	if (good)
		fprintf(stderr, "forkheld: %zu suppression%s written: give each a reason\n", count,
			count == 1 ? "" : "s");
	free(failing);
	if (check->problems > 0)
		return STATUS_REPORT;
	return good ? STATUS_GOOD : STATUS_USAGE;
}

static void check_finish(struct check *check)
{
	merge_finish(&check->merge);
	merge_finish(&check->known);
	for (size_t i = 0; i < check->input_count; i++)
		report_free(check->reports[i]);
	for (size_t i = 0; check->baselines && i < check->baseline_count; i++)
		report_free(check->baselines[i]);
	suppressions_finish(&check->suppressions);
	free(check->judged);
	free(check->inputs);
	free(check->reports);
	free(check->baselines);
	free(check->baseline_files);
	free(check->suppression_files);
}

int check_main(int argc, char **argv)
{
	struct check check = {.fail_level = LEVEL_ERROR + 1};
	int status = read_options(&check, argc, argv);

	for (size_t i = 0; status == STATUS_GOOD && i < check.suppression_file_count; i++)
		if (!suppressions_read(&check.suppressions, check.suppression_files[i]))
			status = STATUS_USAGE;
	if (status == STATUS_GOOD) {
		load_baselines(&check);
		load_reports(&check, argv + optind, (size_t)(argc - optind));
		judge(&check);
		if (check.write_file)
			status = write_suppressions(&check);
		else
			status = check.problems ? STATUS_REPORT
				: check.states[JUDGED_FAILS] ? STATUS_FOUND : STATUS_GOOD;
		if (check.json)
			check_print_json(stdout, &check, status);
		else
			check_print_lines(stdout, &check, status);
	}
	check_finish(&check);
	return status;
}
