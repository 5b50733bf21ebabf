/* SPDX-License-Identifier: Apache-2.0 */
#include "report/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "forkheld/report.h"
#include "ledger/stacks.h"
#include "native/modules.h"
#include "report/json.h"

const char *const phase_names[PHASES] = {FORKHELD_PHASE_BEFORE, FORKHELD_PHASE_PARENT, FORKHELD_PHASE_CHILD};

json_t *write_modules(void)
{
	json_t *modules = json_array();
	for (uint32_t i = 0; i < modules_count(); i++) {
		const struct module *module = modules_get(i);
		json_t *object = json_object();
		json_set(object, "id", json_id(module->id));
		json_set(object, "path", json_text(module->path));
		json_set(object, "build_id", json_bytes(module->build_id, module->build_id_size));
		json_set(object, "base", json_number(module->bias));
		json_set(object, "loaded", json_boolean(module->loaded));
		json_push(modules, object);
	}
	return modules;
}

json_t *write_frames(void)
{
	json_t *frames = json_array();
	for (uint32_t i = 0; i < frames_count(); i++) {
		const struct frame *frame = frames_get(i);
		json_t *object = json_object();
		json_set(object, "id", json_id(i));
		json_set(object, "kind", json_string(frame->python ? "python" : "native"));
		if (frame->python) {
			json_set(object, "function", json_text(frame->function));
			json_set(object, "file", json_text(frame->file));
			json_set(object, "line", json_integer(frame->line));
		} else {
			json_set(object, "module", json_id(frame->module));
			json_set(object, "offset", json_number(frame->offset));
			json_set(object, "symbol", json_text(frame->function));
		}
		json_push(frames, object);
	}
	return frames;
}

json_t *write_stacks(void)
{
	json_t *stacks = json_array();
	for (uint32_t i = 0; i < stacks_count(); i++) {
		unsigned count;
		const uint32_t *ids = stacks_get(i, &count);
		json_t *object = json_object(), *frames = json_array();
		for (unsigned j = 0; j < count; j++)
			json_push(frames, json_id(ids[j]));
		json_set(object, "id", json_id(i));
		json_set(object, "frames", frames);
		json_push(stacks, object);
	}
	return stacks;
}

static json_t *number_list(const struct numbers *numbers)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < numbers->count; i++)
		json_push(list, json_id(numbers->items[i]));
	return list;
}

static json_t *listed_objects(const struct material *material, const struct numbers *nodes)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < nodes->count; i++)
		if (material->ids && material->ids[nodes->items[i]])
			json_push(list, object_id(material, nodes->items[i]));
	return list;
}

static json_t *site_object(const struct frame *site)
{
	if (!site->function && !site->file && site->module == MODULE_NONE)
		return json_null();
	json_t *object = json_object();
	json_set(object, "function", json_text(site->function));
	const char *module = site->module == MODULE_NONE ? NULL : modules_get(site->module)->path;
	json_set(object, "file", json_text(site->python ? site->file : module));
	json_set(object, "line", site->python ? json_integer(site->line) : json_null());
	return object;
}

json_t *write_findings(const struct material *material)
{
	json_t *findings = json_array();
	for (uint32_t i = 0; i < material->findings->count; i++) {
		const struct finding *finding = &material->findings->list[i];
		json_t *object = json_object();
		json_set(object, "rule", json_string(finding->rule));
		json_set(object, "name", json_string(finding->name));
		json_set(object, "level", json_string(finding->level));
		json_set(object, "fingerprint", json_string(finding->fingerprint));
		json_set(object, "message", json_text(finding->message));
		json_set(object, "fix", json_text(finding->fix));
		json_set(object, "registrations", number_list(&finding->registrations));
		json_set(object, "objects", listed_objects(material, &finding->objects));
		json_set(object, "blocks", json_array());
		json_set(object, "count", json_number(finding->count));
		json_set(object, "bytes", json_number(finding->bytes));
		json_set(object, "freed_objects", json_number(finding->freed));
		json_set(object, "site", site_object(&finding->site));
		json_set(object, "seen_in_snapshots", json_number(finding->seen));
		json_push(findings, object);
	}
	return findings;
}

static json_t *amount(uint64_t objects, uint64_t bytes)
{
	json_t *object = json_object();
	json_set(object, "objects", json_number(objects));
	json_set(object, "bytes", json_number(bytes));
	return object;
}

json_t *write_summary(const struct material *material)
{
	static const char *const levels[] = {FORKHELD_LEVEL_ERROR, FORKHELD_LEVEL_WARNING, FORKHELD_LEVEL_NOTE};
	const struct analysis *analysis = material->analysis;
	json_t *object = json_object(), *counts = json_object(), *blocks = json_object();
	json_set(object, "registrations", json_number(registrations_count()));
	json_t *fork_only = analysis ? amount(analysis->fork_only.objects, analysis->fork_only.bytes) : amount(0, 0);
	json_set(fork_only, "native_bytes", json_null());
	json_set(object, "fork_only", fork_only);
	json_set(object, "joint", analysis ? amount(analysis->joint.objects, analysis->joint.bytes) : amount(0, 0));
	json_set(blocks, "fork_only", json_null());
	json_set(blocks, "fork_only_bytes", json_null());
	json_set(blocks, "live", json_null());
	json_set(blocks, "live_bytes", json_null());
	json_set(object, "blocks", blocks);
	for (unsigned level = 0; level < 3; level++) {
		uint64_t count = 0;
		for (uint32_t i = 0; i < material->findings->count; i++)
			count += strcmp(material->findings->list[i].level, levels[level]) == 0;
		json_set(counts, levels[level], json_number(count));
	}
	json_set(object, "findings", counts);
	return object;
}

static json_t *write_notes(void)
{
	json_t *notes = json_array();
	for (unsigned i = 0; options_note(i); i++)
		json_push(notes, json_text(options_note(i)));
	return notes;
}

json_t *write_report(struct material *material)
{
	json_t *root = json_object(), *tool = json_object(), *limits = json_object();
	json_set(tool, "version", json_string(FORKHELD_VERSION));
	json_set(tool, "build_id", write_own_build_id());
	json_set(root, "schema", json_string(FORKHELD_SCHEMA));
	json_set(root, "tool", tool);
	json_set(root, "process", write_process(material));
	json_t *registrations = write_registrations(material), *objects = write_objects(material);
	json_t *findings = write_findings(material), *forks = write_forks();
	json_set(root, "snapshot", write_snapshot(material));
	json_set(root, "capabilities", write_capabilities(material));
	json_set(root, "modules", write_modules());
	json_set(root, "frames", write_frames());
	json_set(root, "stacks", write_stacks());
	json_set(root, "registrations", registrations);
	json_set(root, "objects", objects);
	json_set(root, "blocks", json_array());
	json_set(root, "forks", forks);
	json_set(root, "findings", findings);
	json_set(root, "summary", write_summary(material));
	json_set(limits, "objects_dropped", json_number(material->objects_dropped));
	json_set(limits, "blocks_dropped", json_integer(0));
	json_set(limits, "registrations_dropped", json_number(registrations_dropped()));
	json_set(root, "limits", limits);
	json_set(root, "notes", write_notes());
	return root;
}
