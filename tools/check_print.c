/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "check.h"
#include "clean.h"
#include "text.h"

static const char *const state_names[JUDGED_STATES] = {"fails", "passes", "baseline", "suppressed"};

static void put_finding(FILE *out, const struct merged *merged)
{
	const struct finding *finding = merged->finding;

	fprintf(out, "%s%-7s%s %s %s count=%" PRId64 " bytes=%" PRId64 " reports=%zu ", text_level(merged->level),
		level_names[merged->level], style.off, finding->rule, finding->fingerprint, merged->count,
		merged->bytes, merged->reports);
	if (finding->site.file && finding->site.line > 0)
		fprintf(out, "%s:%" PRId64 ": ", finding->site.file, finding->site.line);
	else if (finding->site.file)
		fprintf(out, "%s: ", finding->site.file);
	fprintf(out, "%s\n", finding->message);
}

void check_print_lines(FILE *out, const struct check *check, int status)
{
	for (size_t i = 0; i < check->merge.count; i++)
		if (check->judged[i].state == JUDGED_FAILS || check->judged[i].state == JUDGED_PASSES)
			put_finding(out, check->judged[i].merged);
	for (size_t i = 0; i < check->suppressions.count; i++) {
		const struct suppression *item = &check->suppressions.items[i];
		struct pool pool = {0};

		if (item->fingerprint && !item->used)
			fprintf(out, "stale   %s:%zu: %s  # %s\n", clean_text(&pool, item->file), item->line,
				clean_text(&pool, item->fingerprint), item->reason);
		pool_finish(&pool);
	}
	fprintf(out, "SUMMARY reports=%zu unusable=%zu errors=%zu warnings=%zu notes=%zu failing=%zu baseline=%zu "
		"suppressed=%zu unreviewed=%zu stale=%zu status=%d\n", check->input_count, check->problems,
		check->levels[LEVEL_ERROR], check->levels[LEVEL_WARNING], check->levels[LEVEL_NOTE],
		check->states[JUDGED_FAILS], check->states[JUDGED_BASELINE], check->states[JUDGED_SUPPRESSED],
		check->unreviewed, check->stale, status);
}

/* text_or_null - a JSON string; null for NULL, and for a file name that is not UTF-8 its escaped form. */
static json_t *text_or_null(const char *text)
{
	struct pool pool = {0};
	json_t *json = text ? json_string(clean_text(&pool, text)) : NULL;

	pool_finish(&pool);
	return json ? json : json_null();
}

static json_t *number_or_null(int64_t number)
{
	return number == UNKNOWN ? json_null() : json_integer(number);
}

static json_t *json_of_site(const struct place *site)
{
	json_t *json = json_object();

	json_object_set_new(json, "function", text_or_null(site->function));
	json_object_set_new(json, "file", text_or_null(site->file));
	json_object_set_new(json, "line", number_or_null(site->line));
	return json;
}

static json_t *json_of_reports(const struct check *check, const struct finding *finding)
{
	json_t *files = json_array();

	for (size_t i = 0; i < check->input_count; i++) {
		const struct report *report = check->inputs[i].report;

		for (size_t j = 0; report && j < report->finding_count; j++) {
			if (strcmp(report->findings[j].fingerprint, finding->fingerprint) == 0) {
				json_array_append_new(files, text_or_null(check->inputs[i].file));
				break;
			}
		}
	}
	return files;
}

static json_t *json_of_judged(const struct check *check, const struct judged *judged)
{
	const struct finding *finding = judged->merged->finding;
	json_t *json = json_object();

	json_object_set_new(json, "rule", text_or_null(finding->rule));
	json_object_set_new(json, "name", text_or_null(finding->name));
	json_object_set_new(json, "level", text_or_null(level_names[judged->merged->level]));
	json_object_set_new(json, "fingerprint", text_or_null(finding->fingerprint));
	json_object_set_new(json, "state", text_or_null(state_names[judged->state]));
	json_object_set_new(json, "count", number_or_null(judged->merged->count));
	json_object_set_new(json, "bytes", number_or_null(judged->merged->bytes));
	json_object_set_new(json, "message", text_or_null(finding->message));
	json_object_set_new(json, "fix", text_or_null(finding->fix));
	json_object_set_new(json, "site", json_of_site(&finding->site));
	json_object_set_new(json, "reports", json_of_reports(check, finding));
	json_object_set_new(json, "reason", text_or_null(judged->suppression ? judged->suppression->reason : NULL));
	return json;
}

static json_t *json_of_inputs(const struct check *check)
{
	json_t *json = json_array();

	for (size_t i = 0; i < check->input_count; i++) {
		const struct check_input *input = &check->inputs[i];
		json_t *item = json_object();

		json_object_set_new(item, "file", text_or_null(input->file));
		json_object_set_new(item, "pid", input->report ? json_integer(input->report->pid) : json_null());
		json_object_set_new(item, "problem", text_or_null(input->problem));
		json_array_append_new(json, item);
	}
	return json;
}

static json_t *json_of_stale(const struct check *check)
{
	json_t *json = json_array();

	for (size_t i = 0; i < check->suppressions.count; i++) {
		const struct suppression *suppression = &check->suppressions.items[i];
		json_t *item;

		if (!suppression->fingerprint || suppression->used)
			continue;
		item = json_object();
		json_object_set_new(item, "file", text_or_null(suppression->file));
		json_object_set_new(item, "line", json_integer((json_int_t)suppression->line));
		json_object_set_new(item, "fingerprint", text_or_null(suppression->fingerprint));
		json_object_set_new(item, "reason", text_or_null(suppression->reason));
		json_array_append_new(json, item);
	}
	return json;
}

static json_t *json_of_summary(const struct check *check)
{
	const struct {
		const char *key;
		size_t value;
	} counts[] = {
		{"reports", check->input_count},
		{"unusable", check->problems},
		{"errors", check->levels[LEVEL_ERROR]},
		{"warnings", check->levels[LEVEL_WARNING]},
		{"notes", check->levels[LEVEL_NOTE]},
		{"failing", check->states[JUDGED_FAILS]},
		{"baseline", check->states[JUDGED_BASELINE]},
		{"suppressed", check->states[JUDGED_SUPPRESSED]},
		{"unreviewed", check->unreviewed},
		{"stale", check->stale},
	};
	json_t *json = json_object();

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		json_object_set_new(json, counts[i].key, json_integer((json_int_t)counts[i].value));
	return json;
}

void check_print_json(FILE *out, const struct check *check, int status)
{
	json_t *json = json_object(), *findings = json_array();

	for (size_t i = 0; i < check->merge.count; i++)
		json_array_append_new(findings, json_of_judged(check, &check->judged[i]));
	json_object_set_new(json, "schema", json_string("forkheld-check/1"));
	json_object_set_new(json, "status", json_integer(status));
	json_object_set_new(json, "reports", json_of_inputs(check));
	json_object_set_new(json, "findings", findings);
	json_object_set_new(json, "stale", json_of_stale(check));
	json_object_set_new(json, "summary", json_of_summary(check));
	json_dumpf(json, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(json);
}
