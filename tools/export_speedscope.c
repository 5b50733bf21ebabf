/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include <jansson.h>
#include <stdlib.h>

#include "names.h"
#include "text.h"

#define SCHEMA "https://www.speedscope.app/file-format-schema.json"

static void *take_json(size_t size)
{
	return take(1, size);
}

/* frame_of - speedscope knows a frame by its name, file and line. */
static json_t *frame_of(const struct name *name)
{
	json_t *frame = json_pack("{s:s}", "name", name->function);

	if (name->file)
		json_object_set_new(frame, "file", json_string(name->file));
	if (name->file && name->line > 0)
		json_object_set_new(frame, "line", json_integer(name->line));
	return frame;
}

static json_t *stacks_of(struct report *report, struct samples samples, struct names *names)
{
	json_t *stacks = json_array();

	for (size_t i = 0; i < samples.count; i++) {
		const struct sample *sample = &samples.list[i];
		json_t *stack = json_array();

		if (sample->unknown)
			json_array_append_new(stack,
				json_integer((json_int_t)names_add(names, sample->unknown, NULL, UNKNOWN)));
		for (size_t j = sample->calls.count; j > 0; j--) {
			const struct call *call = &sample->calls.list[j - 1];

			json_array_append_new(stack, json_integer((json_int_t)names_add(names,
				export_function(report, call), call->place.file, call->place.line)));
		}
		json_array_append_new(stacks, stack);
	}
	return stacks;
}

static json_t *profile_of(const char *name, const char *unit, json_t *stacks, struct samples samples, bool counts)
{
	json_t *weights = json_array();
	int64_t total = 0;

	for (size_t i = 0; i < samples.count; i++) {
		int64_t weight = counts ? samples.list[i].count : samples.list[i].bytes;

		json_array_append_new(weights, json_integer(weight));
		total = sum_of(total, weight);
	}
	return json_pack("{s:s, s:s, s:s, s:i, s:I, s:O, s:o}", "type", "sampled", "name", name, "unit", unit,
		"startValue", 0, "endValue", (json_int_t)total, "samples", stacks, "weights", weights);
}

void export_speedscope(FILE *out, struct report *report, struct samples samples)
{
	const char *program = report->exe ? report->exe : "unknown program";
	struct names names = {0};
	json_t *stacks, *frames, *root;

	/* None of the calls below can fail then. */
	json_set_alloc_funcs(take_json, free);
	stacks = stacks_of(report, samples, &names);
	frames = json_array();
	for (size_t i = 0; i < names.count; i++)
		json_array_append_new(frames, frame_of(&names.list[i]));
	root = json_pack("{s:s, s:s, s:s, s:i, s:{s:o}, s:[o, o]}", "$schema", SCHEMA,
		"exporter", "forkheld " FORKHELD_VERSION,
		"name", pool_print(&report->pool, "%s, pid %lld", program, (long long)report->pid),
		"activeProfileIndex", 0, "shared", "frames", frames, "profiles",
		profile_of("live bytes", "bytes", stacks, samples, false),
		profile_of("live blocks", "none", stacks, samples, true));
	json_dumpf(root, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(stacks);
	json_decref(root);
	names_finish(&names);
}
