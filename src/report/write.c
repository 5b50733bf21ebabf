/* SPDX-License-Identifier: Apache-2.0 */
#include "report/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "forkheld/report.h"
#include "ledger/stacks.h"
#include "native/modules.h"
#include "native/names.h"
#include "python/attach.h"
#include "report/json.h"

const char *const phase_names[PHASES] = {FORKHELD_PHASE_BEFORE, FORKHELD_PHASE_PARENT, FORKHELD_PHASE_CHILD};

static json_t *write_module(void *unused, uint32_t index)
{
	(void)unused;
	const struct module *module = modules_get(index);
	json_t *object = json_object();
	json_set(object, "id", json_id(module->id));
	json_set(object, "path", json_text(module->path));
	json_set(object, "build_id", json_bytes(module->build_id, module->build_id_size));
	json_set(object, "base", json_number(module->bias));
	json_set(object, "loaded", json_boolean(module->loaded));
	return object;
}

static json_t *write_frame(void *unused, uint32_t index)
{
	(void)unused;
	const struct frame *frame = frames_get(index);
	json_t *object = json_object();
	json_set(object, "id", json_id(index));
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
	return object;
}

static json_t *write_stack(void *unused, uint32_t index)
{
	(void)unused;
	unsigned count;
	const uint32_t *ids = stacks_get(index, &count);
	json_t *object = json_object(), *frames = json_array();
	for (unsigned i = 0; i < count; i++)
		json_push(frames, json_id(ids[i]));
	json_set(object, "id", json_id(index));
	json_set(object, "frames", frames);
	return object;
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

static json_t *listed_blocks(const struct material *material, const struct numbers *blocks)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < blocks->count && blocks->items[i] < material->blocks_listed; i++)
		json_push(list, json_id(blocks->items[i]));
	return list;
}

json_t *write_site(const struct frame *site)
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

static json_t *write_finding(void *material_pointer, uint32_t index)
{
	const struct material *material = material_pointer;
	const struct finding *finding = &material->findings->list[index];
	json_t *object = json_object();
	json_set(object, "rule", json_string(finding->rule));
	json_set(object, "name", json_string(finding->name));
	json_set(object, "level", json_string(finding->level));
	json_set(object, "fingerprint", json_string(finding->fingerprint));
	json_set(object, "message", json_text(finding->message));
	json_set(object, "fix", json_text(finding->fix));
	json_set(object, "registrations", number_list(&finding->registrations));
	json_set(object, "objects", listed_objects(material, &finding->objects));
	json_set(object, "behind", listed_objects(material, &finding->behind));
	json_set(object, "blocks", listed_blocks(material, &finding->blocks));
	json_set(object, "count", json_number(finding->count));
	json_set(object, "bytes", json_number(finding->bytes));
	json_set(object, "freed_objects", json_number(finding->freed));
	json_set(object, "site", write_site(&finding->site));
	json_set(object, "allocated", write_origin(material, &finding->objects));
	json_set(object, "seen_in_snapshots", json_number(finding->seen));
	return object;
}

/* Nothing is held where there is no Python; nobody knows where there is one that was not looked at. */
static json_t *amount(const struct material *material, const struct freed *freed)
{
	bool known = material->analysis || !python_present();
	json_t *object = json_object();
	json_set(object, "objects", known ? json_number(freed ? freed->objects : 0) : json_null());
	json_set(object, "bytes", known ? json_number(freed ? freed->bytes : 0) : json_null());
	return object;
}

json_t *write_summary(const struct material *material)
{
	static const char *const levels[] = {FORKHELD_LEVEL_ERROR, FORKHELD_LEVEL_WARNING, FORKHELD_LEVEL_NOTE};
	const struct analysis *analysis = material->analysis;
	json_t *object = json_object(), *counts = json_object(), *blocks = json_object();
	json_set(object, "registrations", json_number(registrations_count()));
	json_t *fork_only = amount(material, analysis ? &analysis->fork_only : NULL);
	json_set(fork_only, "native_bytes", material->beneath ? json_number(material->beneath->fork_only) : json_null());
	json_set(object, "fork_only", fork_only);
	json_set(object, "joint", amount(material, analysis ? &analysis->joint : NULL));
	const struct kept *kept = material->kept;
	json_set(blocks, "fork_only", kept ? json_number(kept->count) : json_null());
	json_set(blocks, "fork_only_bytes", kept ? json_number(kept->bytes) : json_null());
	const struct allocations *live = material->allocations;
	json_set(blocks, "live", live ? json_number(live->native.count + live->python.count) : json_null());
	json_set(blocks, "live_bytes", live ? json_number(live->native.bytes + live->python.bytes) : json_null());
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

static json_t *write_tool(void)
{
	json_t *tool = json_object();
	json_set(tool, "version", json_string(FORKHELD_VERSION));
	json_set(tool, "build_id", write_own_build_id());
	return tool;
}

static json_t *write_limits(const struct material *material)
{
	json_t *limits = json_object();
	json_set(limits, "objects_dropped", json_number(material->objects_dropped));
	json_set(limits, "blocks_dropped",
		 json_number(material->kept ? material->kept->count - material->blocks_listed : 0));
	json_set(limits, "registrations_dropped", json_number(registrations_dropped()));
	return limits;
}

int write_report(struct material *material, int fd)
{
	struct json_out *out = json_out_new(fd);
	if (!out)
		return -ENOMEM;
	json_out_member(out, "schema", json_string(FORKHELD_SCHEMA));
	json_out_member(out, "tool", write_tool());
	json_out_member(out, "process", write_process(material));
	json_out_member(out, "capabilities", write_capabilities(material));
	json_out_array(out, "modules", modules_count(), write_module, NULL);
	json_out_array(out, "registrations", registrations_count(), write_registration, material);
	json_out_array(out, "objects", material->listed_count, write_object, material);
	json_out_member(out, "allocations", write_allocations(material));
	names_frames();
	json_out_array(out, "frames", frames_count(), write_frame, NULL);
	json_out_array(out, "stacks", stacks_count(), write_stack, NULL);
	json_out_array(out, "blocks", material->blocks_listed, write_block, material);
	json_out_member(out, "unreachable", write_leaks(material));
	json_out_member(out, "forks", write_forks());
	json_out_array(out, "findings", material->findings->count, write_finding, material);
	json_out_member(out, "summary", write_summary(material));
	json_out_member(out, "limits", write_limits(material));
	json_out_member(out, "notes", write_notes());
	/* Last, as it says how long all of this took. */
	json_out_member(out, "snapshot", write_snapshot(material));
	return json_out_finish(out);
}
