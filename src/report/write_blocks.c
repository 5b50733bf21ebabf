/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks that fork handlers' static data alone keeps. */
#include "base/options.h"
#include "forkheld/report.h"
#include "native/guarded.h"
#include "native/modules.h"
#include "report/json.h"
#include "report/write.h"

struct careful {
	struct material *material;
	void (*find)(struct material *);
};

static void find(void *careful_pointer)
{
	struct careful *careful = careful_pointer;
	careful->find(careful->material);
}

bool find_carefully(struct material *material, void (*function)(struct material *))
{
	struct careful careful = {material, function};
	if (!material->request->in_place)
		return guarded_call(find, &careful);
	function(material);
	return true;
}

void find_kept(struct material *material)
{
	static struct kept kept;
	const uint32_t most = options.limit < UINT32_MAX ? (uint32_t)options.limit : UINT32_MAX;
	bool native = false;
	for (uint32_t i = 0; i < registrations_count() && !native; i++)
		native = registrations_get(i)->kind == REGISTRATION_NATIVE && registrations_get(i)->removed == REMOVED_NOT;
	material->kept_problem = blocks_lacking(material);
	if (!material->kept_problem && native) {
		if (material->request->in_place)
			material->kept_problem = "no copy of the process could be made";
		else if (!material->roots)
			material->kept_problem = "the list of this process's mappings could not be read";
		else
			material->kept_problem = kept_find(&kept, material->roots, most);
	}
	if (material->kept_problem)
		return;
	material->kept = &kept;
	material->blocks_listed = kept.listed;
}

void find_leaks(struct material *material)
{
	static struct leaks leaks;
	if (!options.leaks)
		return;
	if (!blocks_lacking(material) && material->roots && leaks_find(&leaks, material->roots) == 0)
		material->leaks = &leaks;
}

json_t *write_leaks(const struct material *material)
{
	const struct leaks *leaks = material->leaks;
	if (!leaks)
		return json_null();
	uint64_t listed = leaks->site_count < options.sites ? leaks->site_count : options.sites;
	json_t *object = json_object(), *sites = json_array();
	json_set(object, "count", json_number(leaks->count));
	json_set(object, "bytes", json_number(leaks->bytes));
	for (uint64_t i = 0; i < listed; i++) {
		json_t *site = json_object();
		json_set(site, "stack", json_id(leaks->sites[i].stack));
		json_set(site, "count", json_number(leaks->sites[i].count));
		json_set(site, "bytes", json_number(leaks->sites[i].bytes));
		json_push(sites, site);
	}
	json_set(object, "sites", sites);
	json_set(object, "sites_dropped", json_number(leaks->site_count - listed));
	return object;
}

static json_t *registration_ids(const struct slot *slot)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < slot->registration_count; i++)
		json_push(list, json_id(slot->registrations[i]));
	return list;
}

static json_t *slot_object(const struct kept *kept, uint32_t index)
{
	const struct slot *slot = &kept->slots.list[index];
	const struct kept_slot *about = &kept->of_slot[index];
	json_t *object = json_object(), *readers = json_array();
	bool closure = slot->thunk.kind == THUNK_CLOSURE;
	json_set(object, "kind", json_string(closure ? "closure" : "data"));
	json_set(object, "module", json_id(slot->module));
	json_set(object, "symbol", json_text(slot->symbol));
	json_set(object, "offset",
		 json_number((closure ? slot->thunk.function : slot->start) - modules_get(slot->module)->bias));
	for (uint32_t i = 0; i < about->readers && i < KEPT_READERS; i++)
		json_push(readers, json_text(about->reader[i]));
	json_set(object, "readers", readers);
	json_set(object, "readers_dropped",
		 json_integer(about->readers > KEPT_READERS ? about->readers - KEPT_READERS : 0));
	return object;
}

/* Nothing is said of what was not looked at. */
json_t *write_kept_alone(const struct material *material, uint32_t registration)
{
	const struct kept *kept = material->kept;
	return kept && !kept->slots.unread_by[registration] ? json_number(kept->alone[registration]) : json_null();
}

json_t *write_block(void *material_pointer, uint32_t index)
{
	const struct material *material = material_pointer;
	const struct kept *kept = material->kept;
	const struct kept_block *block = &kept->blocks[index];
	json_t *object = json_object(), *holder = json_object();
	json_set(object, "id", json_id(index));
	json_set(object, "bytes", json_number(block->size));
	json_set(object, "verdict", json_string(FORKHELD_FORK_ONLY));
	json_set(object, "strength", json_string(kept->of_slot[block->slot].readers ? "weak" : "strong"));
	json_set(object, "slot", slot_object(kept, block->slot));
	json_set(object, "allocated", json_id(block->stack));
	json_set(object, "registrations", registration_ids(&kept->slots.list[block->slot]));
	json_set(holder, "block", json_id(block->holder));
	json_set(holder, "offset", json_number(block->offset));
	json_set(object, "holder", holder);
	return object;
}
