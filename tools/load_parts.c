/* SPDX-License-Identifier: Apache-2.0 */
#include "load_parts.h"

#include <forkheld/report.h>
#include <string.h>

#include "clean.h"
#include "load_allocations.h"

const char *const phase_names[PHASES] = {FORKHELD_PHASE_BEFORE, FORKHELD_PHASE_PARENT, FORKHELD_PHASE_CHILD};
const char *const level_names[] = {FORKHELD_LEVEL_NOTE, FORKHELD_LEVEL_WARNING, FORKHELD_LEVEL_ERROR, NULL};
const char *const verdict_names[] = {FORKHELD_FORK_ONLY, FORKHELD_JOINT, FORKHELD_IN_USE, NULL};

/* Tables refer to each other in both directions: all ids are read first, then the items. */
struct parts {
	struct fields *fields;
	struct pool *pool;
	struct table modules, frames, stacks, registrations, objects, blocks;
};

static enum phase phase_of(struct fields *fields, const struct node *node)
{
	static const char *const names[] = {FORKHELD_PHASE_BEFORE, FORKHELD_PHASE_PARENT, FORKHELD_PHASE_CHILD, NULL};
	int phase = field_choice(fields, node, "phase", NEEDED, names);

	return phase < 0 ? PHASE_BEFORE : (enum phase)phase;
}

static bool native_of(struct fields *fields, const struct node *node)
{
	static const char *const kinds[] = {"python", "native", NULL};

	return field_choice(fields, node, "kind", NEEDED, kinds) == 1;
}

static struct place place_of(struct fields *fields, const struct node *node)
{
	return (struct place){
		.function = field_text(fields, node, "function", NULLABLE),
		.file = field_text(fields, node, "file", NULLABLE),
		.line = field_number(fields, node, "line", NULLABLE),
	};
}

static void read_module(struct parts *parts, const struct node *node, struct module *module)
{
	module->path = field_text(parts->fields, node, "path", NULLABLE);
	module->build_id = field_text(parts->fields, node, "build_id", NULLABLE);
	module->base = field_number(parts->fields, node, "base", NULLABLE);
	module->loaded = field_flag(parts->fields, node, "loaded", NULLABLE);
}

static void read_frame(struct parts *parts, const struct node *node, struct frame *frame)
{
	struct fields *fields = parts->fields;

	frame->native = native_of(fields, node);
	if (frame->native) {
		frame->module = field_reference(fields, node, "module", NULLABLE, &parts->modules);
		frame->offset = field_number(fields, node, "offset", NULLABLE);
		frame->symbol = field_text(fields, node, "symbol", NULLABLE);
	} else {
		frame->place = place_of(fields, node);
	}
}

static void read_stack(struct parts *parts, const struct node *node, struct stack *stack)
{
	stack->frames = field_references(parts->fields, node, "frames", NEEDED, &parts->frames, &stack->frame_count);
}

static void read_callable(struct parts *parts, const struct node *node, bool native, struct callable *callable)
{
	struct fields *fields = parts->fields;

	callable->phase = phase_of(fields, node);
	callable->type = field_text(fields, node, "type", NULLABLE);
	callable->qualname = field_text(fields, node, "qualname", NULLABLE);
	callable->place.file = field_text(fields, node, "file", NULLABLE);
	callable->place.line = field_number(fields, node, "line", NULLABLE);
	callable->symbol = field_text(fields, node, "symbol", NULLABLE);
	callable->offset = field_number(fields, node, "offset", NULLABLE);
	/* One key, two meanings: the name of a Python module, the id of a loaded one. */
	if (native)
		callable->module = field_reference(fields, node, "module", NULLABLE, &parts->modules);
	else
		callable->module_name = field_text(fields, node, "module", NULLABLE);
}

static void read_callables(struct parts *parts, const struct node *node, struct registration *registration)
{
	struct fields *fields = parts->fields;
	struct node array, item;
	size_t size = field_array(fields, node, "callables", NEEDED, &array);
	struct callable *callables = pool_take(parts->pool, size, sizeof(*callables));

	registration->callables = callables;
	for (size_t i = 0; i < size && element_object(fields, &array, i, &item); i++) {
		read_callable(parts, &item, registration->native, &callables[i]);
		registration->callable_count = i + 1;
	}
}

static void read_phases(struct parts *parts, const struct node *node, struct registration *registration)
{
	struct node array;
	size_t size = field_array(parts->fields, node, "phases", NEEDED, &array);

	for (size_t i = 0; i < size; i++) {
		const char *text = json_string_value(json_array_get(array.json, i));
		bool known = false;

		for (int phase = 0; text && phase < PHASES; phase++)
			if (strcmp(phase_names[phase], text) == 0)
				known = registration->phases[phase] = true;
		if (!known)
			fields_fail(parts->fields, &(struct node){.up = &array, .index = i}, NULL, "is not a phase");
	}
}

static void read_owners(struct parts *parts, const struct node *node, struct registration *registration)
{
	struct fields *fields = parts->fields;
	struct node owner;

	if (field_object(fields, node, "owner", NULLABLE, &owner)) {
		registration->owner_kind = field_text(fields, &owner, "kind", NULLABLE);
		registration->owner_type = field_text(fields, &owner, "type", NULLABLE);
		registration->owner = field_reference(fields, &owner, "object", NULLABLE, &parts->objects);
	}
	registration->owners =
		field_references(fields, node, "owners", NULLABLE, &parts->objects, &registration->owner_count);
}

static void read_registration(struct parts *parts, const struct node *node, struct registration *registration)
{
	struct fields *fields = parts->fields;
	struct node child;

	registration->native = native_of(fields, node);
	read_phases(parts, node, registration);
	read_callables(parts, node, registration);
	read_owners(parts, node, registration);
	registration->strength = field_text(fields, node, "strength", NULLABLE);
	registration->stack = field_reference(fields, node, "stack", NULLABLE, &parts->stacks);
	registration->native_stack = field_reference(fields, node, "native_stack", NULLABLE, &parts->stacks);
	registration->thread = field_number(fields, node, "thread", NULLABLE);
	registration->time_ns = field_number(fields, node, "time_ns", NULLABLE);
	registration->sequence = field_number(fields, node, "sequence", NULLABLE);
	registration->interpreter = field_number(fields, node, "interpreter", NULLABLE);
	registration->inherited = field_flag(fields, node, "inherited", NULLABLE);
	registration->baseline = field_flag(fields, node, "baseline", NULLABLE);
	registration->removed = field_text(fields, node, "removed", NULLABLE);
	for (int phase = 0; phase < PHASES; phase++)
		registration->calls[phase] = UNKNOWN;
	if (field_object(fields, node, "calls", NULLABLE, &child))
		for (int phase = 0; phase < PHASES; phase++)
			registration->calls[phase] = field_number(fields, &child, phase_names[phase], NULLABLE);
	registration->frees_objects = registration->frees_bytes = registration->frees_native_bytes = UNKNOWN;
	if (field_object(fields, node, "frees", NULLABLE, &child)) {
		registration->frees_objects = field_number(fields, &child, "objects", NULLABLE);
		registration->frees_bytes = field_number(fields, &child, "bytes", NULLABLE);
		registration->frees_native_bytes = field_number(fields, &child, "native_bytes", NULLABLE);
	}
}

static void read_holders(struct parts *parts, const struct node *node, struct object *object)
{
	static const char *const scopes[] = {"outside", "own", NULL};
	struct fields *fields = parts->fields;
	struct node array, item;
	size_t size = field_array(fields, node, "holders", NULLABLE, &array);
	struct holder *holders = pool_take(parts->pool, size, sizeof(*holders));

	object->holders = holders;
	for (size_t i = 0; i < size && element_object(fields, &array, i, &item); i++) {
		holders[i].kind = field_text(fields, &item, "kind", NEEDED);
		holders[i].path = field_texts(fields, &item, "path", NULLABLE, &holders[i].path_count);
		holders[i].own = field_choice(fields, &item, "scope", NEEDED, scopes) == 1;
		holders[i].registration =
			field_reference(fields, &item, "registration", NULLABLE, &parts->registrations);
		object->holder_count = i + 1;
	}
}

static void read_object(struct parts *parts, const struct node *node, struct object *object)
{
	struct fields *fields = parts->fields;
	int verdict = field_choice(fields, node, "verdict", NEEDED, verdict_names);

	object->verdict = verdict < 0 ? VERDICT_IN_USE : (enum verdict)verdict;
	object->type = field_text(fields, node, "type", NEEDED);
	object->module = field_text(fields, node, "module", NULLABLE);
	object->address = field_text(fields, node, "address", NULLABLE);
	object->bytes = field_number(fields, node, "bytes", NULLABLE);
	object->retained_bytes = field_number(fields, node, "retained_bytes", NULLABLE);
	object->retained_objects = field_number(fields, node, "retained_objects", NULLABLE);
	object->native_bytes = field_number(fields, node, "native_bytes", NULLABLE);
	object->block_bytes = field_number(fields, node, "block_bytes", NULLABLE);
	object->holders_dropped = field_number(fields, node, "holders_dropped", NULLABLE);
	object->plumbing = field_flag(fields, node, "plumbing", NULLABLE);
	object->dominator = field_reference(fields, node, "dominator", NULLABLE, &parts->objects);
	object->allocated = field_reference(fields, node, "allocated", NULLABLE, &parts->stacks);
	object->allocated_approximate = field_flag(fields, node, "allocated_approximate", NULLABLE);
	object->age_ns = field_number(fields, node, "age_ns", NULLABLE);
	object->registrations = field_references(fields, node, "registrations", NULLABLE, &parts->registrations,
		&object->registration_count);
	read_holders(parts, node, object);
}

/* A reader that nobody can name is null. */
static void read_readers(struct parts *parts, const struct node *slot, struct block *block)
{
	struct node array;
	size_t size = field_array(parts->fields, slot, "readers", NULLABLE, &array);

	block->has_slot_readers = array.json != NULL;
	block->slot_readers = pool_take(parts->pool, size, sizeof(*block->slot_readers));
	for (size_t i = 0; i < size; i++) {
		const json_t *value = json_array_get(array.json, i);

		if (json_is_string(value))
			block->slot_readers[i] = clean_text(parts->pool,
				pool_text(parts->pool, json_string_value(value), json_string_length(value)));
		else if (!json_is_null(value))
			fields_fail(parts->fields, &(struct node){.up = &array, .index = i}, NULL, "is not a string");
	}
	block->slot_reader_count = size;
	block->slot_readers_dropped = field_number(parts->fields, slot, "readers_dropped", NULLABLE);
}

static void read_block(struct parts *parts, const struct node *node, struct block *block)
{
	static const char *const kinds[] = {"data", "closure", NULL};
	struct fields *fields = parts->fields;
	struct node slot, holder;

	block->bytes = field_number(fields, node, "bytes", NULLABLE);
	block->verdict = field_text(fields, node, "verdict", NULLABLE);
	block->strength = field_text(fields, node, "strength", NULLABLE);
	block->slot_offset = UNKNOWN;
	if (field_object(fields, node, "slot", NULLABLE, &slot)) {
		block->slot_closure = field_choice(fields, &slot, "kind", NULLABLE, kinds) == 1;
		block->slot_module = field_reference(fields, &slot, "module", NULLABLE, &parts->modules);
		block->slot_symbol = field_text(fields, &slot, "symbol", NULLABLE);
		block->slot_offset = field_number(fields, &slot, "offset", NULLABLE);
		read_readers(parts, &slot, block);
	}
	block->holder_offset = UNKNOWN;
	if (field_object(fields, node, "holder", NULLABLE, &holder)) {
		block->holder = field_reference(fields, &holder, "block", NULLABLE, &parts->blocks);
		block->holder_offset = field_number(fields, &holder, "offset", NULLABLE);
	}
	block->allocated = field_reference(fields, node, "allocated", NULLABLE, &parts->stacks);
	block->registrations = field_references(fields, node, "registrations", NULLABLE, &parts->registrations,
		&block->registration_count);
}

static void read_finding(struct parts *parts, const struct node *node, struct finding *finding)
{
	struct fields *fields = parts->fields;
	int level = field_choice(fields, node, "level", NEEDED, level_names);
	struct node site, allocated;

	finding->level = level < 0 ? LEVEL_NOTE : (enum level)level;
	finding->rule = field_text(fields, node, "rule", NEEDED);
	finding->name = field_text(fields, node, "name", NEEDED);
	finding->fingerprint = field_text(fields, node, "fingerprint", NEEDED);
	finding->message = field_text(fields, node, "message", NEEDED);
	finding->fix = field_text(fields, node, "fix", NULLABLE);
	finding->registrations = field_references(fields, node, "registrations", NEEDED, &parts->registrations,
		&finding->registration_count);
	finding->objects =
		field_references(fields, node, "objects", NEEDED, &parts->objects, &finding->object_count);
	finding->behind = field_references(fields, node, "behind", NULLABLE, &parts->objects, &finding->behind_count);
	finding->blocks = field_references(fields, node, "blocks", NULLABLE, &parts->blocks, &finding->block_count);
	finding->count = field_number(fields, node, "count", NEEDED);
	finding->bytes = field_number(fields, node, "bytes", NEEDED);
	finding->freed_objects = field_number(fields, node, "freed_objects", NULLABLE);
	finding->seen_in_snapshots = field_number(fields, node, "seen_in_snapshots", NULLABLE);
	finding->site.line = UNKNOWN;
	if (field_object(fields, node, "site", NULLABLE, &site))
		finding->site = place_of(fields, &site);
	finding->allocated_places = UNKNOWN;
	if (field_object(fields, node, "allocated", NULLABLE, &allocated)) {
		finding->allocated = field_reference(fields, &allocated, "stack", NULLABLE, &parts->stacks);
		finding->allocated_approximate = field_flag(fields, &allocated, "approximate", NULLABLE);
		finding->allocated_places = field_number(fields, &allocated, "places", NULLABLE);
	}
}

static void read_findings(struct parts *parts, const struct node *root, struct report *report)
{
	struct node array, item;
	size_t size = field_array(parts->fields, root, "findings", NEEDED, &array);

	report->findings = pool_take(parts->pool, size, sizeof(*report->findings));
	for (size_t i = 0; i < size && element_object(parts->fields, &array, i, &item); i++) {
		read_finding(parts, &item, &report->findings[i]);
		report->finding_count = i + 1;
	}
}

static void read_forks(struct parts *parts, const struct node *root, struct report *report)
{
	struct fields *fields = parts->fields;
	struct node forks, array, item;
	size_t size;

	report->forks = UNKNOWN;
	if (!field_object(fields, root, "forks", NULLABLE, &forks))
		return;
	report->forks = field_number(fields, &forks, "count", NULLABLE);
	size = field_array(fields, &forks, "handlers", NULLABLE, &array);
	report->handlers = pool_take(parts->pool, size, sizeof(*report->handlers));
	for (size_t i = 0; i < size && element_object(fields, &array, i, &item); i++) {
		struct handler *handler = &report->handlers[i];

		handler->registration =
			field_reference(fields, &item, "registration", NEEDED, &parts->registrations);
		handler->phase = phase_of(fields, &item);
		handler->calls = field_number(fields, &item, "calls", NULLABLE);
		handler->total_ns = field_number(fields, &item, "total_ns", NULLABLE);
		handler->max_ns = field_number(fields, &item, "max_ns", NULLABLE);
		report->handler_count = i + 1;
	}
}

/* READ_TABLE - a loop over one table; a macro because each has items and a reader of its own type. */
#define READ_TABLE(KEY, TABLE, ITEM, READ) do { \
	struct node array_, item_; \
	field_array(parts.fields, root, KEY, NEEDED, &array_); \
	report->TABLE = parts.TABLE.items; \
	report->ITEM##_count = parts.TABLE.count; \
	for (size_t i_ = 0; i_ < parts.TABLE.count && element_object(fields, &array_, i_, &item_); i_++) \
		READ(&parts, &item_, &report->TABLE[i_]); \
} while (0)

void read_parts(struct fields *fields, const struct node *root, struct report *report)
{
	struct parts parts = {.fields = fields, .pool = &report->pool};

	field_table(fields, root, "modules", "module", sizeof(struct module), &parts.modules);
	field_table(fields, root, "frames", "frame", sizeof(struct frame), &parts.frames);
	field_table(fields, root, "stacks", "stack", sizeof(struct stack), &parts.stacks);
	field_table(fields, root, "registrations", "registration", sizeof(struct registration), &parts.registrations);
	field_table(fields, root, "objects", "object", sizeof(struct object), &parts.objects);
	field_table(fields, root, "blocks", "block", sizeof(struct block), &parts.blocks);
	if (fields->failed)
		return;
	READ_TABLE("modules", modules, module, read_module);
	READ_TABLE("frames", frames, frame, read_frame);
	READ_TABLE("stacks", stacks, stack, read_stack);
	READ_TABLE("registrations", registrations, registration, read_registration);
	READ_TABLE("objects", objects, object, read_object);
	READ_TABLE("blocks", blocks, block, read_block);
	read_allocations(fields, root, &parts.stacks, report);
	read_forks(&parts, root, report);
	read_findings(&parts, root, report);
}
