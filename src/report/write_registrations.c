/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "forkheld/report.h"
#include "ledger/forks.h"
#include "ledger/times.h"
#include "native/modules.h"
#include "python/describe.h"
#include "python/interpreters.h"
#include "report/json.h"
#include "report/write.h"

static json_t *native_callable(const struct registration *record, int phase)
{
	json_t *object = json_object();
	uint32_t module = record->code_module[phase];
	uintptr_t bias = module == MODULE_NONE ? 0 : modules_get(module)->bias;
	const char *symbol = record->symbol[phase];
	if (!symbol && record->removed == REMOVED_NOT)
		symbol = modules_symbol(record->callable[phase], true);
	json_set(object, "phase", json_string(phase_names[phase]));
	json_set(object, "symbol", json_text(symbol));
	json_set(object, "module", json_id(module));
	json_set(object, "offset", json_number(record->callable[phase] - bias));
	return object;
}

/* Did the host take this callable, alone, out of the interpreter's list? */
static bool taken_out(const struct heap_registration *found, int phase)
{
	return found && found->record->callable[phase] && !found->callable[phase] &&
	       interpreters_get(found->record->interpreter)->lists[phase];
}

static json_t *python_callable(const struct heap_registration *found, int phase)
{
	json_t *object = json_object();
	struct callable_text text = {0};
	if (found && found->callable[phase])
		text = describe_callable(found->callable[phase]);
	json_set(object, "phase", json_string(phase_names[phase]));
	json_set(object, "type", json_text(text.type));
	json_set(object, "qualname", json_text(text.qualname));
	json_set(object, "module", json_text(text.module));
	json_set(object, "file", json_text(text.file));
	json_set(object, "line", text.line ? json_integer(text.line) : json_null());
	if (taken_out(found, phase))
		json_set(object, "removed", json_string("host"));
	return object;
}

static json_t *python_owner(struct material *material, const struct heap_registration *found)
{
	struct owner *owner = found ? analysis_main_owner(material->analysis, found) : NULL;
	json_t *object = json_object();
	pyobject *callable = NULL;
	for (int phase = 0; found && phase < PHASES && !callable; phase++)
		callable = found->callable[phase];
	if (owner) {
		pyobject *type = (pyobject *)material->analysis->heap.objects[owner->node]->type;
		json_set(object, "kind", json_string("object"));
		json_set(object, "type", json_text(describe_type(type).qualname));
	} else if (found && found->module_owner) {
		json_set(object, "kind", json_string("module"));
		json_set(object, "type", json_text(describe_module_name(found->module_owner)));
	} else {
		json_set(object, "kind", json_string("function"));
		json_set(object, "type", callable ? json_text(describe_callable(callable).type) : json_null());
	}
	json_set(object, "object", owner ? object_id(material, owner->node) : json_null());
	return object;
}

static json_t *native_owner(const struct registration *record)
{
	json_t *object = json_object();
	uint32_t module = MODULE_NONE;
	for (int phase = PHASES - 1; phase >= 0; phase--)
		if (record->callable[phase])
			module = record->code_module[phase];
	json_set(object, "kind", json_string("module"));
	json_set(object, "type", module == MODULE_NONE ? json_null() : json_text(modules_get(module)->path));
	json_set(object, "object", json_null());
	return object;
}

/* libc holds code; what a Python callable holds is not known without the heap. */
static const char *strength_name(const struct registration *record, const struct heap_registration *found)
{
	static const char *const names[] = {"strong", "weak", "dead-weak"};
	if (!found && record->kind == REGISTRATION_PYTHON)
		return NULL;
	return names[found ? found->strength : STRENGTH_STRONG];
}

static const char *removal_name(const struct registration *record)
{
	static const char *const names[] = {
		[REMOVED_DLCLOSE] = "dlclose", [REMOVED_INTERPRETER] = "interpreter-end", [REMOVED_REFUSED] = "refused",
		[REMOVED_HOST] = "host",
	};
	return names[record->removed];
}

static uint64_t phase_count(const struct fork_counts *counts, int phase)
{
	return phase == PHASE_BEFORE ? counts->before : phase == PHASE_PARENT ? counts->parent : counts->child;
}

static json_t *calls_object(const struct registration *record, const struct heap_registration *found)
{
	struct fork_counts counts;
	bool known = forks_of(record, &counts);
	json_t *calls = json_object();
	for (int phase = 0; phase < PHASES; phase++) {
		json_t *value = known && !taken_out(found, phase) ? json_number(phase_count(&counts, phase)) : json_null();
		if (!record->callable[phase]) {
			json_decref(value);
			value = json_integer(0);
		}
		json_set(calls, phase_names[phase], value);
	}
	return calls;
}

static void set_places(json_t *object, const struct registration *record, const struct heap_registration *found)
{
	json_set(object, "stack", json_id(record->stack));
	json_set(object, "native_stack", json_id(record->native_stack));
	json_set(object, "thread", record->thread ? json_number(record->thread) : json_null());
	json_set(object, "time_ns", record->time_ns ? json_number(record->time_ns) : json_null());
	json_set(object, "sequence", json_number(record->sequence));
	json_set(object, "inherited", json_boolean(record->generation < registrations_generation()));
	json_set(object, "removed", json_text(removal_name(record)));
	json_set(object, "baseline", json_boolean(record->baseline));
	if (record->kind == REGISTRATION_PYTHON)
		json_set(object, "interpreter", json_id(record->interpreter));
	json_set(object, "calls", calls_object(record, found));
}

static json_t *frees_object(struct material *material, const struct registration *record,
			    const struct heap_registration *found)
{
	struct freed freed = {0};
	if (!found && record->kind == REGISTRATION_PYTHON && record->removed == REMOVED_NOT)
		return json_null();
	uint32_t node = found ? (uint32_t)(found - material->analysis->heap.registrations) : NODE_NONE;
	if (found)
		freed = analysis_frees(material->analysis, node);
	json_t *object = json_object();
	json_set(object, "objects", json_number(freed.objects));
	json_set(object, "bytes", json_number(freed.bytes));
	json_set(object, "native_bytes", found ? write_beneath(material, node, false) :
					 record->removed != REMOVED_NOT ? json_integer(0) :
									  write_kept_alone(material, record->sequence));
	return object;
}

static json_t *owner_ids(const struct material *material, const struct heap_registration *found)
{
	json_t *list = json_array();
	for (uint32_t i = 0; found && i < found->owner_count; i++)
		if (material->ids[found->owners[i]])
			json_push(list, object_id(material, found->owners[i]));
	return list;
}

json_t *write_registration(void *material_pointer, uint32_t index)
{
	struct material *material = material_pointer;
	const struct heap *heap = material->analysis ? &material->analysis->heap : NULL;
	const struct registration *record = registrations_get(index);
	const struct heap_registration *found = NULL;
	if (heap && material->next_registration < heap->registration_count &&
	    heap->registrations[material->next_registration].record == record)
		found = &heap->registrations[material->next_registration++];
	bool python = record->kind == REGISTRATION_PYTHON;
	json_t *object = json_object(), *phases = json_array(), *callables = json_array();
	for (int phase = 0; phase < PHASES; phase++) {
		if (!record->callable[phase])
			continue;
		json_push(phases, json_string(phase_names[phase]));
		json_push(callables, python ? python_callable(found, phase) : native_callable(record, phase));
	}
	json_set(object, "id", json_id(record->sequence));
	json_set(object, "kind", json_string(python ? "python" : "native"));
	json_set(object, "phases", phases);
	json_set(object, "callables", callables);
	json_set(object, "owner", python ? python_owner(material, found) : native_owner(record));
	json_set(object, "owners", owner_ids(material, found));
	json_set(object, "strength", json_text(strength_name(record, found)));
	set_places(object, record, found);
	json_set(object, "frees", frees_object(material, record, found));
	return object;
}

/* One entry for each handler that ran. */
json_t *write_forks(void)
{
	json_t *object = json_object(), *handlers = json_array();
	for (uint32_t i = 0; i < registrations_count(); i++) {
		const struct registration *record = registrations_get(i);
		struct fork_counts counts;
		bool known = forks_of(record, &counts);
		for (int phase = 0; phase < PHASES && known; phase++) {
			if (!record->callable[phase] || phase_count(&counts, phase) == 0)
				continue;
			json_t *handler = json_object();
			json_set(handler, "registration", json_id(i));
			json_set(handler, "phase", json_string(phase_names[phase]));
			json_set(handler, "calls", json_number(phase_count(&counts, phase)));
			struct handler_time time;
			bool timed = times_of(i, phase, &time);
			json_set(handler, "total_ns", timed ? json_number(time.total_ns) : json_null());
			json_set(handler, "max_ns", timed ? json_number(time.max_ns) : json_null());
			json_push(handlers, handler);
		}
	}
	json_set(object, "count", json_number(forks_native().before));
	json_set(object, "handlers", handlers);
	return object;
}
