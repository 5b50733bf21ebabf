/* SPDX-License-Identifier: Apache-2.0 */
/* Where things were allocated: of the listed objects, of findings, and of all live blocks by site. */
#include <stdlib.h>

#include "base/options.h"
#include "ledger/blocks.h"
#include "ledger/stacks.h"
#include "ledger/traces.h"
#include "native/modules.h"
#include "python/objects.h"
#include "report/json.h"
#include "report/occupied.h"
#include "report/origin.h"
#include "report/write.h"

void place_objects(struct material *material)
{
	struct analysis *analysis = material->analysis;
	for (uint32_t i = 0; i < material->listed_count && material->allocations; i++) {
		struct listed *listed = &material->listed[i];
		uintptr_t block = objects_block(analysis->heap.objects[listed->node]);
		listed->trace = block ? BLOCK_TRACE(blocks_get(block)) : TRACE_ROOT;
		listed->block_bytes = block ? occupied_bytes(analysis, listed->node) : 0;
	}
}

static json_t *age(const struct material *material, bool dated, uint32_t epoch)
{
	return dated ? json_number(origin_age(epoch, material->start_ns)) : json_null();
}

static bool approximate(const struct material *material, const struct listed *listed)
{
	return listed->trace != TRACE_ROOT && objects_approximate(material->analysis->heap.objects[listed->node]->type);
}

void set_origin(json_t *object, const struct material *material, const struct listed *listed)
{
	struct origin origin = origin_of(listed->trace);
	json_set(object, "block_bytes", listed->block_bytes ? json_number(listed->block_bytes) : json_null());
	json_set(object, "allocated", json_id(origin_stack(origin.node)));
	json_set(object, "allocated_approximate", json_boolean(approximate(material, listed)));
	json_set(object, "age_ns", age(material, origin.dated, origin.epoch));
}

/* The frame to name of a stack: its innermost of Python, else its innermost at all. */
static struct frame place(uint32_t stack)
{
	unsigned count = 0;
	const uint32_t *frames = stack == STACK_NONE ? NULL : stacks_get(stack, &count);
	for (unsigned i = 0; i < count; i++)
		if (frames_get(frames[i])->python)
			return *frames_get(frames[i]);
	return count ? *frames_get(frames[0]) : (struct frame){.module = MODULE_NONE};
}

static int compare(const void *left, const void *right)
{
	const struct frame *a = left, *b = right;
	uintptr_t first[] = {(uintptr_t)a->file, (uintptr_t)a->function, (uintptr_t)a->line, a->module, a->offset};
	uintptr_t second[] = {(uintptr_t)b->file, (uintptr_t)b->function, (uintptr_t)b->line, b->module, b->offset};
	for (unsigned i = 0; i < sizeof first / sizeof *first; i++)
		if (first[i] != second[i])
			return first[i] < second[i] ? -1 : 1;
	return 0;
}

static uint32_t distinct(struct frame *places, uint32_t count)
{
	uint32_t result = 0;
	if (count)
		qsort(places, count, sizeof *places, compare);
	for (uint32_t i = 0; i < count; i++)
		result += i == 0 || compare(&places[i - 1], &places[i]) != 0;
	return result;
}

json_t *write_origin(const struct material *material, const struct numbers *nodes)
{
	const struct listed *first = NULL;
	struct frame *places = malloc((nodes->count + (size_t)1) * sizeof *places);
	uint32_t count = 0;
	for (uint32_t i = 0; i < nodes->count && material->ids && places; i++) {
		uint32_t id = material->ids[nodes->items[i]];
		const struct listed *listed = id ? &material->listed[id - 1] : NULL;
		if (!listed || listed->trace == TRACE_ROOT)
			continue;
		places[count++] = place(origin_stack(origin_of(listed->trace).node));
		if (!first || listed < first)
			first = listed;
	}
	uint32_t different = distinct(places, count);
	free(places);
	uint32_t stack = first ? origin_stack(origin_of(first->trace).node) : STACK_NONE;
	if (stack == STACK_NONE)
		return json_null();
	struct frame frame = place(stack);
	json_t *object = write_site(&frame);
	json_set(object, "stack", json_id(stack));
	json_set(object, "approximate", json_boolean(approximate(material, first)));
	json_set(object, "places", json_integer(different));
	return object;
}

static void set_sum(json_t *object, const struct allocation_sum *sum)
{
	json_set(object, "count", json_number(sum->count));
	json_set(object, "bytes", json_number(sum->bytes));
}

static json_t *sum_object(const struct allocation_sum *sum)
{
	json_t *object = json_object();
	set_sum(object, sum);
	return object;
}

static json_t *site_object(const struct material *material, const struct allocation_site *site)
{
	json_t *object = json_object();
	json_set(object, "stack", json_id(site->stack));
	json_set(object, "kind", json_string(site->python ? "python" : "native"));
	set_sum(object, &site->sum);
	json_set(object, "oldest_ns", age(material, site->dated, site->oldest));
	json_set(object, "newest_ns", age(material, site->dated, site->newest));
	return object;
}

json_t *write_allocations(const struct material *material)
{
	struct allocations *allocations = material->allocations;
	if (!allocations)
		return json_null();
	allocations_name(allocations);
	json_t *object = json_object(), *sites = json_array();
	for (uint32_t i = 0; i < allocations->site_count; i++)
		json_push(sites, site_object(material, &allocations->sites[i]));
	json_set(object, "sites", sites);
	json_set(object, "sites_dropped", json_number(allocations->sites_dropped));
	json_set(object, "dropped", sum_object(&allocations->dropped));
	json_set(object, "native", sum_object(&allocations->native));
	json_set(object, "python", sum_object(&allocations->python));
	json_set(object, "frames", json_number(options.frames));
	json_set(object, "sample", json_number(options.sample));
	return object;
}
