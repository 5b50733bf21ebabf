/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/options.h"
#include "forkheld/report.h"
#include "ledger/traces.h"
#include "python/describe.h"
#include "python/objects.h"
#include "report/holders.h"
#include "report/json.h"
#include "report/write.h"

/* Referrers listed for one object; an object in use everywhere has thousands, which tell nothing more. */
#define HOLDERS_MAX 64u

static int by_retained(const void *left, const void *right)
{
	const struct listed *a = left, *b = right;
	if (a->retained_bytes != b->retained_bytes)
		return a->retained_bytes > b->retained_bytes ? -1 : 1;
	return (a->node > b->node) - (a->node < b->node);
}

/* Owners, and fork-only objects above the floor. */
static uint32_t choose(const struct analysis *analysis, const uint32_t *wanted, uint32_t count, const uint64_t *objects,
		       const uint64_t *bytes, struct listed *listed)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < count; i++)
		if (bytes[i] >= options.floor || analysis_owner(analysis, wanted[i]))
			listed[kept++] = (struct listed){.node = wanted[i], .retained_objects = objects[i],
							 .retained_bytes = bytes[i], .dominator = LISTED_NONE, .trace = TRACE_ROOT};
	return kept;
}

struct visited { uint32_t enter, id; };

static int by_enter(const void *left, const void *right)
{
	const struct visited *a = left, *b = right;
	return (a->enter > b->enter) - (a->enter < b->enter);
}

/* In the order in which a walk of the dominator tree comes to them, those above an object are the last that came
 * before it and are not left yet. */
static int find_dominators(struct material *material)
{
	const struct dominators *dominators = &material->analysis->dominators;
	uint32_t count = material->listed_count, depth = 0;
	struct visited *order = malloc((count + (size_t)1) * sizeof *order);
	uint32_t *above = malloc((count + (size_t)1) * sizeof *above);
	int result = order && above ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < count && result == 0; i++)
		order[i] = (struct visited){dominators->enter[material->listed[i].node], i};
	if (result == 0 && count)
		qsort(order, count, sizeof *order, by_enter);
	for (uint32_t i = 0; i < count && result == 0; i++) {
		struct listed *listed = &material->listed[order[i].id];
		while (depth && !dominators_above(dominators, material->listed[above[depth - 1]].node, listed->node))
			depth--;
		if (depth)
			listed->dominator = above[depth - 1];
		above[depth++] = order[i].id;
	}
	free(order), free(above);
	return result;
}

static int measure(struct material *material, uint32_t *wanted, uint32_t count)
{
	struct analysis *analysis = material->analysis;
	uint64_t *objects = malloc((count + 1) * sizeof *objects), *bytes = malloc((count + 1) * sizeof *bytes);
	material->listed = malloc((count + 1) * sizeof *material->listed);
	material->ids = calloc(analysis->heap.graph.nodes + (size_t)1, sizeof *material->ids);
	int result = objects && bytes && material->listed && material->ids ? 0 : -ENOMEM;
	if (result == 0)
		result = dominators_retained(&analysis->dominators, wanted, count, heap_size, &analysis->heap, objects, bytes);
	if (result == 0) {
		uint32_t kept = choose(analysis, wanted, count, objects, bytes, material->listed);
		if (kept)
			qsort(material->listed, kept, sizeof *material->listed, by_retained);
		material->listed_count = kept > options.limit ? (uint32_t)options.limit : kept;
		material->objects_dropped = kept - material->listed_count;
		for (uint32_t i = 0; i < material->listed_count; i++)
			material->ids[material->listed[i].node] = i + 1;
		result = find_dominators(material);
	}
	free(objects), free(bytes);
	return result;
}

int choose_objects(struct material *material)
{
	struct analysis *analysis = material->analysis;
	if (!analysis)
		return 0;
	uint32_t count = analysis->owner_count, nodes = analysis->heap.graph.nodes;
	for (uint32_t i = 0; i < nodes; i++)
		count += analysis->reach[i] == REACH_FORK;
	uint32_t *wanted = malloc((count + (size_t)1) * sizeof *wanted);
	if (!wanted)
		return -ENOMEM;
	count = 0;
	for (uint32_t i = analysis->heap.registration_count; i < nodes; i++)
		if (analysis->reach[i] == REACH_FORK)
			wanted[count++] = i;
	for (uint32_t i = 0; i < analysis->owner_count; i++)
		if (analysis->reach[analysis->owners[i].node] != REACH_FORK)
			wanted[count++] = analysis->owners[i].node;
	int result = measure(material, wanted, count);
	free(wanted);
	return result;
}

void find_beneath(struct material *material)
{
	static struct beneath beneath;
	const struct analysis *analysis = material->analysis;
	material->beneath_problem = blocks_lacking(material) ? blocks_lacking(material) : objects_state();
	if (material->beneath_problem)
		return;
	if (!material->roots && analysis->heap.registration_count)
		material->beneath_problem = "the list of this process's mappings could not be read";
	/* Not of what is in use: clean programs have owners too, and need not wait for this. */
	else if (analysis->heap.registration_count &&
		 beneath_find(&beneath, analysis, material->roots, analysis->candidates) < 0)
		material->beneath_problem = "the native memory under Python's objects was not found: out of memory";
	else
		material->beneath = &beneath;
}

json_t *write_beneath(const struct material *material, uint32_t node, bool plumbing)
{
	return material->beneath ? json_number(beneath_of(material->beneath, material->analysis, node, plumbing))
				 : json_null();
}

json_t *object_id(const struct material *material, uint32_t node)
{
	uint32_t id = material->ids ? material->ids[node] : 0;
	return id ? json_integer(id - 1) : json_null();
}

static void push_holder(void *list, const struct holder *holder)
{
	json_t *object = json_object(), *path = json_array();
	for (unsigned i = 0; i < holder->path_length; i++)
		json_push(path, json_text(holder->path[i]));
	json_set(object, "kind", json_string(holder->kind));
	json_set(object, "path", path);
	json_set(object, "scope", json_string(holder->own ? "own" : "outside"));
	json_set(object, "registration", json_id(holder->registration));
	json_push(list, object);
}

static json_t *registration_ids(const struct analysis *analysis, const struct owner *owner)
{
	json_t *list = json_array();
	for (uint32_t i = 0; owner && i < owner->registration_count; i++) {
		uint32_t index = analysis->links[owner->first_registration + i];
		json_push(list, json_id(analysis->heap.registrations[index].record->sequence));
	}
	return list;
}

static const char *verdict_name(const struct analysis *analysis, const struct owner *owner, uint32_t node)
{
	static const char *const names[] = {FORKHELD_IN_USE, FORKHELD_JOINT, FORKHELD_FORK_ONLY};
	if (owner)
		return names[owner->verdict];
	return analysis->reach[node] == REACH_FORK ? FORKHELD_FORK_ONLY : FORKHELD_IN_USE;
}

json_t *write_object(void *material_pointer, uint32_t id)
{
	struct material *material = material_pointer;
	struct analysis *analysis = material->analysis;
	const struct listed *listed = &material->listed[id];
	const struct owner *owner = analysis_owner(analysis, listed->node);
	pyobject *address = analysis->heap.objects[listed->node];
	struct type_text type = describe_type((pyobject *)address->type);
	json_t *object = json_object(), *holders = json_array();
	json_set(object, "id", json_id(id));
	json_set(object, "type", json_text(type.qualname));
	json_set(object, "module", json_text(type.module));
	json_set(object, "bytes", json_number(heap_size(&analysis->heap, listed->node)));
	json_set(object, "retained_bytes", json_number(listed->retained_bytes));
	json_set(object, "retained_objects", json_number(listed->retained_objects));
	json_set(object, "native_bytes", analysis->candidates[listed->node] ? write_beneath(material, listed->node, true)
							      : json_null());
	json_set(object, "verdict", json_string(verdict_name(analysis, owner, listed->node)));
	set_origin(object, material, listed);
	json_set(object, "registrations", registration_ids(analysis, owner));
	json_set(object, "dominator", json_id(listed->dominator));
	uint32_t count = holders_of(analysis, material->search, listed->node, HOLDERS_MAX, push_holder, holders);
	json_set(object, "holders", holders);
	json_set(object, "holders_dropped", json_integer(count > HOLDERS_MAX ? count - HOLDERS_MAX : 0));
	json_set(object, "plumbing", json_boolean(analysis->heap.graph.flags[listed->node] & NODE_PLUMBING));
	if (options.addresses) {
		char text[32];
		snprintf(text, sizeof text, "%p", (void *)address);
		json_set(object, "address", json_string(text));
	}
	return object;
}
