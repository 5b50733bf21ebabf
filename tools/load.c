/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <forkheld/report.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "fields.h"
#include "input.h"
#include "load_parts.h"
#include "symbolize.h"

static void read_process(struct fields *fields, const struct node *root, struct report *report)
{
	struct node process, child;

	if (!field_object(fields, root, "process", NEEDED, &process))
		return;
	report->pid = field_number(fields, &process, "pid", NEEDED);
	report->ppid = field_number(fields, &process, "ppid", NULLABLE);
	report->exe = field_text(fields, &process, "exe", NULLABLE);
	report->argv0 = field_text(fields, &process, "argv0", NULLABLE);
	report->fork_generation = field_number(fields, &process, "fork_generation", NULLABLE);
	if (field_object(fields, &process, "libc", NULLABLE, &child)) {
		report->libc_name = field_text(fields, &child, "name", NULLABLE);
		report->libc_version = field_text(fields, &child, "version", NULLABLE);
	}
	report->has_python = field_object(fields, &process, "python", NULLABLE, &child);
	if (report->has_python) {
		report->python_version = field_text(fields, &child, "version", NULLABLE);
		report->python_build = field_text(fields, &child, "build", NULLABLE);
		report->free_threaded = field_flag(fields, &child, "free_threaded", NULLABLE);
		report->interpreters = field_number(fields, &child, "interpreters", NULLABLE);
	}
}

static void read_snapshot(struct fields *fields, const struct node *root, struct report *report)
{
	struct node snapshot;

	if (!field_object(fields, root, "snapshot", NEEDED, &snapshot))
		return;
	report->trigger = field_text(fields, &snapshot, "trigger", NEEDED);
	report->sequence = field_number(fields, &snapshot, "sequence", NULLABLE);
	report->label = field_text(fields, &snapshot, "label", NULLABLE);
	report->time = field_text(fields, &snapshot, "time", NULLABLE);
	report->complete = field_flag(fields, &snapshot, "complete", NEEDED);
	report->reason = field_text(fields, &snapshot, "reason", NULLABLE);
	report->isolation = field_text(fields, &snapshot, "isolation", NULLABLE);
	report->pause_ns = field_number(fields, &snapshot, "pause_ns", NULLABLE);
	report->analysis_ns = field_number(fields, &snapshot, "analysis_ns", NULLABLE);
}

static void read_capabilities(struct fields *fields, const struct node *root, struct report *report)
{
	static const char *const states[] = {"full", "partial", "none", NULL};
	struct node array, item;
	size_t size = field_array(fields, root, "capabilities", NEEDED, &array);

	report->capabilities = pool_take(&report->pool, size, sizeof(*report->capabilities));
	for (size_t i = 0; i < size && element_object(fields, &array, i, &item); i++) {
		struct capability *capability = &report->capabilities[i];
		int state;

		capability->name = field_text(fields, &item, "name", NEEDED);
		state = field_choice(fields, &item, "state", NEEDED, states);
		capability->state = state < 0 ? NULL : states[state];
		capability->reason = field_text(fields, &item, "reason", NULLABLE);
		report->capability_count = i + 1;
	}
}

static void read_summary(struct fields *fields, const struct node *root, struct report *report)
{
	struct node summary, child;

	report->fork_only_objects = report->fork_only_bytes = report->fork_only_native_bytes = UNKNOWN;
	report->joint_objects = report->joint_bytes = UNKNOWN;
	if (!field_object(fields, root, "summary", NEEDED, &summary))
		return;
	if (field_object(fields, &summary, "fork_only", NULLABLE, &child)) {
		report->fork_only_objects = field_number(fields, &child, "objects", NULLABLE);
		report->fork_only_bytes = field_number(fields, &child, "bytes", NULLABLE);
		report->fork_only_native_bytes = field_number(fields, &child, "native_bytes", NULLABLE);
	}
	if (field_object(fields, &summary, "joint", NULLABLE, &child)) {
		report->joint_objects = field_number(fields, &child, "objects", NULLABLE);
		report->joint_bytes = field_number(fields, &child, "bytes", NULLABLE);
	}
}

static void read_limits(struct fields *fields, const struct node *root, struct report *report)
{
	struct node limits;

	if (!field_object(fields, root, "limits", NULLABLE, &limits))
		return;
	report->objects_dropped = field_number(fields, &limits, "objects_dropped", NULLABLE);
	report->blocks_dropped = field_number(fields, &limits, "blocks_dropped", NULLABLE);
	report->registrations_dropped = field_number(fields, &limits, "registrations_dropped", NULLABLE);
}

static void read_report(struct fields *fields, const json_t *json, struct report *report)
{
	struct node root = {.json = json};
	const char *schema;
	char word[60];

	if (!json_is_object(json)) {
		fields_fail(fields, &root, NULL, "not a report: it is not a JSON object");
		return;
	}
	if (!json_is_string(json_object_get(json, "schema"))) {
		fields_fail(fields, &root, NULL, "not a report: it names no schema");
		return;
	}
	schema = json_string_value(json_object_get(json, "schema"));
	if (strcmp(schema, FORKHELD_SCHEMA) != 0) {
		fields_fail(fields, &root, NULL, "its schema is '%s', only " FORKHELD_SCHEMA " can be read",
			clean_line(word, sizeof(word), schema));
		return;
	}
	read_process(fields, &root, report);
	read_snapshot(fields, &root, report);
	read_capabilities(fields, &root, report);
	read_parts(fields, &root, report);
	read_summary(fields, &root, report);
	read_limits(fields, &root, report);
	report->notes = field_texts(fields, &root, "notes", NULLABLE, &report->note_count);
}

/* bad_json - jansson's error in our words. Its own text can quote the file, so it is cleaned. */
static void bad_json(const json_error_t *error, char reason[REASON_SIZE])
{
	char text[JSON_ERROR_TEXT_LENGTH];

	clean_line(text, sizeof(text), error->text);
	switch (json_error_code(error)) {
	case json_error_premature_end_of_input:
		snprintf(reason, REASON_SIZE, "is truncated: the JSON ends at line %d", error->line);
		break;
	case json_error_stack_overflow:
		snprintf(reason, REASON_SIZE, "line %d: nested too deep for a report", error->line);
		break;
	case json_error_invalid_utf8:
		snprintf(reason, REASON_SIZE, "line %d: is not valid UTF-8", error->line);
		break;
	case json_error_numeric_overflow:
		snprintf(reason, REASON_SIZE, "line %d: a number is too big: %s", error->line, text);
		break;
	case json_error_duplicate_key:
		snprintf(reason, REASON_SIZE, "line %d: %s", error->line, text);
		break;
	default:
		snprintf(reason, REASON_SIZE, "is not JSON: line %d: %s", error->line, text);
	}
}

struct report *report_parse(const char *name, const char *bytes, size_t size, char reason[REASON_SIZE])
{
	struct report *report;
	struct fields fields;
	json_error_t error;
	json_t *json;

	if (strspn(bytes, " \t\r\n") == size) {
		snprintf(reason, REASON_SIZE, "is empty");
		return NULL;
	}
	/* jansson takes a zero byte for the end. */
	if (memchr(bytes, '\0', size)) {
		snprintf(reason, REASON_SIZE, "is not JSON: it has a zero byte");
		return NULL;
	}
	json = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
	if (!json) {
		bad_json(&error, reason);
		return NULL;
	}
	report = take(1, sizeof(*report));
	report->file = name;
	fields = (struct fields){.pool = &report->pool, .reason = reason, .reason_size = REASON_SIZE};
	read_report(&fields, json, report);
	json_decref(json);
	if (fields.failed) {
		report_free(report);
		return NULL;
	}
	return report;
}

struct report *report_load(const char *file)
{
	struct report *report = NULL;
	char reason[REASON_SIZE], line[1024];
	const char *name = strcmp(file, "-") == 0 ? "standard input" : file, *refused;
	char *bytes;
	size_t size;

	refused = input_read(file, &bytes, &size);
	if (!refused) {
		report = report_parse(name, bytes, size, reason);
		refused = reason;
		free(bytes);
	}
	if (!report)
		fprintf(stderr, "forkheld: %s: %s\n", clean_line(line, sizeof(line), name), refused);
	else
		report->file = clean_text(&report->pool, name);
	return report;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	symbols_stop(report);
	pool_finish(&report->pool);
	free(report);
}
