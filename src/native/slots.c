/* SPDX-License-Identifier: Apache-2.0 */
#include "native/slots.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ledger/registrations.h"
#include "native/cfi.h"
#include "native/decode.h"
#include "native/memory.h"
#include "native/modules.h"
#include "native/parts.h"
#include "native/rules.h"
#include "native/symbols.h"

#define WORD sizeof(uintptr_t)

/* One handler's code being looked through. */
struct search {
	struct slots *slots;
	const struct registration *registration;
	const struct module *module;
	uintptr_t start, end;      /* the function at hand */
	unsigned depth;
};

static bool base_name_begins(const char *path, const char *with)
{
	const char *slash = strrchr(path, '/');

	return strncmp(slash ? slash + 1 : path, with, strlen(with)) == 0;
}

/* What libc and the loader keep there is everybody's. So is what this library keeps. */
bool slots_everybodys(const struct module *module)
{
	static const char *const names[] = { "libc.so", "libc-2.", "ld-linux", "ld-2.", "ld-musl", "libpthread" };

	if (module->id == modules_find((uintptr_t)(void *)slots_find))
		return true;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (base_name_begins(module->path, names[i]))
			return true;
	return false;
}

/* Does [@address, @address + 8) lie in a segment of @module with @flag (or, for PT_GNU_RELRO, in that)? */
static bool in_segment(const struct module *module, uintptr_t address, uint32_t type, uint32_t flag)
{
	for (unsigned i = 0; i < module->header_count; i++) {
		const ElfW(Phdr) *header = &module->headers[i];
		uintptr_t at = address - module->bias - header->p_vaddr;

		if (header->p_type == type && (header->p_flags & flag) == flag && header->p_memsz >= WORD &&
		    at <= header->p_memsz - WORD)
			return true;
	}
	return false;
}

static bool is_data(const struct module *module, uintptr_t address)
{
	return in_segment(module, address, PT_LOAD, PF_W) && !in_segment(module, address, PT_GNU_RELRO, 0);
}

static bool add_registration(struct slot *slot, uint32_t sequence)
{
	uint32_t count = slot->registration_count, *larger;

	if (count && slot->registrations[count - 1] == sequence)
		return true;
	/* Room for 1, 2, 4, ... */
	if (!(count & (count - 1))) {
		larger = realloc(slot->registrations, (count ? 2 * (size_t)count : 1) * sizeof(*larger));
		if (!larger)
			return false;
		slot->registrations = larger;
	}
	slot->registrations[slot->registration_count++] = sequence;
	return true;
}

static struct slot *slot_at(struct slots *slots, uintptr_t address)
{
	for (uint32_t i = 0; i < slots->count; i++)
		if (address - slots->list[i].start < slots->list[i].size)
			return &slots->list[i];
	return NULL;
}

/* grown - room for one more in @array of @count elements of @size bytes, which has room for *@room. */
static bool grown(void *array, uint32_t count, uint32_t *room, size_t size)
{
	uint32_t more = *room ? 2 * *room : 16;
	void *larger;

	if (count < *room)
		return true;
	larger = realloc(*(void **)array, more * size);
	if (!larger)
		return false;
	*(void **)array = larger;
	*room = more;
	return true;
}

static bool add_slot(struct slots *slots, const struct slot *slot)
{
	if (!grown(&slots->list, slots->count, &slots->room, sizeof(*slots->list)))
		return false;
	slots->list[slots->count++] = *slot;
	return true;
}

static void note_slot(struct search *search, uintptr_t address)
{
	uint32_t id = modules_find(address);
	const struct module *module = id == MODULE_NONE ? NULL : modules_get(id);
	struct slot made = { .start = address & ~(WORD - 1), .size = WORD, .module = id }, *slot;
	struct symbol_object object;

	if (!module || slots_everybodys(module) || !is_data(module, made.start))
		return;
	slot = slot_at(search->slots, address);
	if (!slot) {
		if (modules_object_at(id, address - module->bias, &object, &made.exported)) {
			made.start = object.start + module->bias;
			made.size = object.size;
			made.symbol = object.name;
		}
		if (!add_slot(search->slots, &made)) {
			search->slots->failed = true;
			return;
		}
		slot = &search->slots->list[search->slots->count - 1];
	}
	search->slots->failed |= !add_registration(slot, search->registration->sequence);
}

static void look_through(struct search *search, uintptr_t function, unsigned depth);

/* A word of the table of global addresses stands for what it leads to. */
static void take(void *search_pointer, const struct reference *reference)
{
	struct search *search = search_pointer;
	uintptr_t target = reference->target;

	if (reference->kind == REFERENCE_BASE)
		return;
	if (reference->kind == REFERENCE_CALL) {
		if (search->depth == 0 && target - search->start >= search->end - search->start &&
		    modules_find(target) == search->module->id && in_segment(search->module, target, PT_LOAD, PF_X))
			look_through(search, target, 1);
		return;
	}
	if (reference->kind == REFERENCE_DATA && target % WORD == 0 &&
	    in_segment(search->module, target, PT_GNU_RELRO, 0) && memory_readable(target))
		target = *(const uintptr_t *)target;
	note_slot(search, target);
}

static bool add_function(struct slots *slots, uintptr_t start, size_t size, enum slot_role role)
{
	if (!grown(&slots->functions, slots->function_count, &slots->function_room, sizeof(*slots->functions)))
		return false;
	slots->functions[slots->function_count++] = (struct slot_function){ start, size, role };
	return true;
}

static void look_at_part(struct search *search, uintptr_t start, size_t size)
{
	struct search saved = *search;

	search->start = start;
	search->end = start + size;
	search->slots->failed |= !add_function(search->slots, start, size, search->depth ? SLOT_CALLEE : SLOT_HANDLER);
	if (!decode_function(start, size, take, search))
		search->slots->unread++;
	search->start = saved.start;
	search->end = saved.end;
}

/* With the parts of it that the compiler has put elsewhere. */
static void look_through(struct search *search, uintptr_t function, unsigned depth)
{
	unsigned before = search->depth;
	uintptr_t start, part;
	struct cfi_image image;
	struct parts parts;
	size_t size;

	search->depth = depth;
	if (rules_function(function, &image, &start, &size) && start == function) {
		look_at_part(search, start, size);
		if (parts_find(&image, function, &parts))
			for (unsigned i = 1; i < parts.count; i++)
				if (rules_function(parts.start[i], &image, &part, &size))
					look_at_part(search, part, size);
	} else if (depth == 0) {
		search->slots->unread++;
	}
	search->depth = before;
}

static int by_start(const void *left, const void *right)
{
	const struct slot *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

/* Two of which one has a symbol and begins before the other may overlap. */
static void join_overlapping(struct slots *slots)
{
	uint32_t kept = 0;

	if (slots->count)
		qsort(slots->list, slots->count, sizeof(*slots->list), by_start);
	for (uint32_t i = 0; i < slots->count; i++) {
		struct slot *last = kept ? &slots->list[kept - 1] : NULL, *slot = &slots->list[i];

		if (!last || slot->start >= last->start + last->size) {
			slots->list[kept++] = *slot;
			continue;
		}
		if (slot->start + slot->size > last->start + last->size)
			last->size = slot->start + slot->size - last->start;
		for (uint32_t j = 0; j < slot->registration_count; j++)
			slots->failed |= !add_registration(last, slot->registrations[j]);
	}
	slots->count = kept;
}

static bool is_live(const struct registration *entry)
{
	return entry->kind == REGISTRATION_NATIVE && entry->removed == REMOVED_NOT;
}

static bool same_handlers(const struct registration *left, const struct registration *right)
{
	return is_live(left) && is_live(right) && memcmp(left->callable, right->callable, sizeof(left->callable)) == 0;
}

/* Thousands of registrations of one function have one code. Return: the first of them, if it is near the beginning. */
static uint32_t seen_before(uint32_t index, const struct registration *entry)
{
	for (uint32_t i = 0; i < index && i < 64; i++)
		if (same_handlers(registrations_get(i), entry))
			return i;
	return REGISTRATION_NONE;
}

uint32_t slots_alone(const struct slot *slot)
{
	const struct registration *only = registrations_get(slot->registrations[0]);

	if (slot->registration_count != 1 || registrations_dropped())
		return REGISTRATION_NONE;
	for (uint32_t i = 0; i < registrations_count(); i++)
		if (i != only->sequence && same_handlers(registrations_get(i), only))
			return REGISTRATION_NONE;
	return only->sequence;
}

static void note_closure(struct search *search, const struct thunk *thunk)
{
	struct slot made = { .start = thunk->start, .size = thunk->size, .thunk = *thunk };
	struct slot *slot = slot_at(search->slots, thunk->start);

	if (!slot) {
		made.module = modules_find(thunk->function);
		made.symbol = modules_symbol(thunk->function, true);
		if (!add_slot(search->slots, &made)) {
			search->slots->failed = true;
			return;
		}
		slot = &search->slots->list[search->slots->count - 1];
		search->slots->closures++;
	}
	search->slots->failed |= !add_registration(slot, search->registration->sequence);
}

/* A closure's function is called by other closures as well: who states its address works with what it works with. */
static void look_at_thunk(struct search *search, uintptr_t code)
{
	struct thunk thunk;

	if (!thunk_read(code, search->slots->roots, &thunk))
		search->slots->unread++;
	if (thunk.kind == THUNK_NONE)
		return;
	if (thunk.kind == THUNK_CLOSURE)
		note_closure(search, &thunk);
	search->module = modules_get(modules_find(thunk.function));
	look_through(search, thunk.function, thunk.kind == THUNK_CLOSURE);
}

static void look_at_registration(struct slots *slots, const struct registration *entry)
{
	struct search search = { .slots = slots, .registration = entry };
	struct cfi_image image;
	uintptr_t start;
	size_t size;

	for (int phase = 0; phase < PHASES; phase++) {
		uint32_t module = modules_find(entry->callable[phase]);

		if (!entry->callable[phase])
			continue;
		if (module != entry->code_module[phase]) {
			slots->unread++;
			continue;
		}
		if (module == MODULE_NONE) {
			look_at_thunk(&search, entry->callable[phase]);
			continue;
		}
		search.module = modules_get(module);
		look_through(&search, entry->callable[phase], 0);
	}
	if (entry->caller && rules_function(entry->caller - 1, &image, &start, &size))
		slots->failed |= !add_function(slots, start, size, SLOT_REGISTERS);
}

int slots_find(struct slots *slots, const struct roots *roots)
{
	*slots = (struct slots){ .roots = roots };
	slots->unread_by = calloc(registrations_count() + (size_t)1, sizeof(*slots->unread_by));
	slots->failed = !slots->unread_by;
	for (uint32_t i = 0; i < registrations_count() && !slots->failed; i++) {
		const struct registration *entry = registrations_get(i);
		uint32_t unread = slots->unread, before;

		if (!is_live(entry))
			continue;
		before = seen_before(i, entry);
		if (before == REGISTRATION_NONE)
			look_at_registration(slots, entry);
		slots->unread_by[i] = before == REGISTRATION_NONE ? slots->unread > unread : slots->unread_by[before];
	}
	join_overlapping(slots);
	return slots->failed ? -ENOMEM : 0;
}
