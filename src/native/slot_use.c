/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who else works with a slot. Code states an address relative to its own place, so at every byte of a module's
 * code four bytes are tried as such a distance (aarch64: each instruction); what hits is decoded, and where that cannot
 * be done it counts: the answer "nobody else" must be true.
 */
#include <string.h>
#include "ledger/registrations.h"
#include "ledger/strings.h"
#include "native/aarch64.h"
#include "native/decode.h"
#include "native/memory.h"
#include "native/modules.h"
#include "native/rules.h"
#include "native/slots.h"
#include "native/symbols.h"

#define WORD sizeof(uintptr_t)
#define ALIASES 8u
#define ENTRIES 32u
#define LONGEST 11u   /* bytes of an instruction before the distance */
#define TRAILING 5u  /* bytes of the instruction behind the distance: an immediate operand */
#define ANCHORED 65536u  /* aarch64: how far behind an address that code makes it may reach for others */
#define STEP (DECODE_OWN == DECODE_AARCH64 ? 4u : 1u)

struct use {
	const struct slots *slots;
	const struct slot *slot;
	const struct module *module;   /* whose code is looked at */
	uintptr_t alias[ALIASES];      /* words of its table of global addresses that lead to the slot */
	unsigned aliases;
	const struct slot_function *entry[ENTRIES];  /* handlers and callees that work with the slot */
	unsigned entries;
	const char **names;
	uint32_t count, most;
	bool found;                    /* by decoding: the function works with the slot, */
	uintptr_t only;                /* the instruction that is asked about; 0: any */
	bool registers;                /* and states a handler's address: it is what registers */
};

static bool means(const struct use *use, uintptr_t address)
{
	if (address - use->slot->start < use->slot->size)
		return true;
	for (unsigned i = 0; i < use->aliases; i++)
		if (address == use->alias[i])
			return true;
	return false;
}

static void add(struct use *use, const char *name)
{
	uint32_t known = use->count < use->most ? use->count : use->most;

	for (uint32_t i = 0; i < known; i++)
		if (use->names[i] == name)
			return;
	if (use->count < use->most)
		use->names[use->count] = name;
	use->count++;
}

static bool is_handler(uintptr_t address)
{
	for (uint32_t i = 0; address && i < registrations_count(); i++) {
		const struct registration *entry = registrations_get(i);

		for (int phase = 0; phase < PHASES; phase++)
			if (entry->kind == REGISTRATION_NATIVE && entry->callable[phase] == address)
				return true;
	}
	return false;
}

static void compare(void *use_pointer, const struct reference *reference)
{
	struct use *use = use_pointer;

	if (use->only && reference->at != use->only)
		return;
	use->found |= reference->kind != REFERENCE_CALL && means(use, reference->target);
	/* Whoever calls what belongs to a handler works with the slot as well; a handler is named to be registered. */
	for (unsigned i = 0; i < use->entries && reference->kind != REFERENCE_DATA; i++)
		use->found |= reference->target == use->entry[i]->start &&
			      (reference->kind == REFERENCE_CALL || use->entry[i]->role == SLOT_CALLEE);
	use->registers |= reference->kind == REFERENCE_ADDRESS && is_handler(reference->target);
}

/* A program's main is ordinary code, whatever it registers. */
static bool is_main(const struct use *use, uintptr_t start)
{
	const char *name = modules_symbol_at(use->module->id, start - use->module->bias, true);

	return name && strcmp(name, "main") == 0;
}

static bool of_handlers(const struct use *use, uintptr_t start)
{
	for (uint32_t i = 0; i < use->slots->function_count; i++)
		if (use->slots->functions[i].start == start)
			return use->slots->functions[i].role != SLOT_REGISTERS || !is_main(use, start);
	return false;
}

/* Is there an instruction, wherever it may begin, that holds the four bytes at @at and means the slot by them? For code
 * of which nobody says where its functions begin. */
static bool states(struct use *use, uintptr_t at)
{
	use->found = false;
	for (use->only = at - LONGEST; use->only < at && !use->found; use->only++)
		decode_function(use->only, at + sizeof(uint32_t) + TRAILING - use->only, compare, use);
	use->only = 0;
	return use->found;
}

/* The same for aarch64, where a page alone says nothing: whatever comes behind may complete it, unless that is known
 * from end to end. */
static bool aarch64_states(struct use *use, uintptr_t at)
{
	unsigned count = 0;

	if (memory_range_readable(at, AARCH64_STUB * sizeof(uint32_t)))
		count = aarch64_stub((const uint32_t *)at);
	use->found = false;
	return !count || !decode_function(at, count * sizeof(uint32_t), compare, use) || use->found;
}

/* Something at @at looks like a reference. Return: where to go on. */
static uintptr_t examine(struct use *use, uintptr_t at)
{
	struct cfi_image image;
	uintptr_t start;
	const char *name;
	size_t size;

	if (!rules_function(at, &image, &start, &size)) {
		if (DECODE_OWN == DECODE_AARCH64 ? aarch64_states(use, at) : states(use, at))
			add(use, strings_intern(use->module->path));
		return at + STEP;
	}
	if (!of_handlers(use, start)) {
		use->found = use->registers = false;
		if (!decode_function(start, size, compare, use))
			use->found = true;
		/* A call that ends a function leaves no return address: the caller on record is another then. */
		use->found &= !use->registers || is_main(use, start);
		name = use->found ? modules_symbol_at(use->module->id, start - use->module->bias, true) : NULL;
		if (use->found)
			add(use, name ? name : strings_intern(use->module->path));
	}
	return start + size > at ? start + size : at + STEP;
}

static bool reaches(uintptr_t from, uintptr_t to)
{
	return to - from < ANCHORED;
}

static bool aarch64_looks_like_reference(const struct use *use, uintptr_t at)
{
	uintptr_t target, slot = use->slot->start;
	enum aarch64_lead lead = aarch64_lead(*(const uint32_t *)at, at, &target);
	bool wide = lead == AARCH64_PAGE || lead == AARCH64_NEAR;

	if (lead == AARCH64_NOWHERE)
		return false;
	for (unsigned i = 0; i < use->entries; i++)
		if (target == use->entry[i]->start || (wide && reaches(target, use->entry[i]->start)))
			return true;
	for (unsigned i = 0; i < use->aliases && wide; i++)
		if (reaches(target, use->alias[i]))
			return true;
	return wide ? reaches(target, slot) || target - slot < use->slot->size : means(use, target);
}

static bool looks_like_reference(const struct use *use, uintptr_t at)
{
	int32_t distance;
	uint32_t absolute;

	memcpy(&distance, (const void *)at, sizeof(distance));
	memcpy(&absolute, (const void *)at, sizeof(absolute));
	for (unsigned behind = 0; behind < TRAILING; behind++)
		if (means(use, at + sizeof(distance) + behind + (uintptr_t)(intptr_t)distance))
			return true;
	for (unsigned i = 0; i < use->entries; i++)
		if (at + sizeof(distance) + (uintptr_t)(intptr_t)distance == use->entry[i]->start ||
		    absolute == use->entry[i]->start)
			return true;
	return means(use, absolute);
}

/* How the linkers begin .eh_frame_hdr: a distance from there to .eh_frame. */
#define HEADER_VERSION 1u
#define HEADER_RELATIVE 0x1bu

/* unwind_data - .eh_frame, if it lies in [@start, @end), which can be read: its words are no code, and those of
 * aarch64 look like some. It ends with an entry of no length. */
static void unwind_data(const struct module *module, uintptr_t start, uintptr_t end, uintptr_t *from, uintptr_t *to)
{
	uintptr_t header = 0, at;
	int32_t distance;
	uint32_t length = 0;

	*from = *to = end;
	for (unsigned i = 0; i < module->header_count; i++)
		if (module->headers[i].p_type == PT_GNU_EH_FRAME)
			header = module->bias + module->headers[i].p_vaddr;
	if (header < start || header > end - 8 || *(const uint8_t *)header != HEADER_VERSION ||
	    ((const uint8_t *)header)[1] != HEADER_RELATIVE)
		return;
	memcpy(&distance, (const void *)(header + 4), sizeof(distance));
	at = header + 4 + (uintptr_t)(intptr_t)distance;
	if (at < start)
		return;
	*from = at;
	do {
		if (at > end || end - at < sizeof(length)) {
			*from = end;
			return;
		}
		memcpy(&length, (const void *)at, sizeof(length));
		at += sizeof(length) + length;
	} while (length);
	*to = at;
}

static void search_code(struct use *use, uintptr_t start, uintptr_t end)
{
	uintptr_t skip = end, behind = end;

	if (!memory_range_readable(start, end - start))
		return;
	if (DECODE_OWN == DECODE_AARCH64)
		unwind_data(use->module, start, end, &skip, &behind);
	for (uintptr_t at = start; at + sizeof(uint32_t) <= end;) {
		if (at >= skip && at < behind) {
			at = behind;
			continue;
		}
		bool looks = DECODE_OWN == DECODE_AARCH64 ? aarch64_looks_like_reference(use, at)
							  : looks_like_reference(use, at);

		at = looks ? examine(use, at) : at + STEP;
	}
}

/* Pointers that are there from the start on: the tables of global addresses, and constant data. */
static void find_aliases(struct use *use)
{
	for (unsigned i = 0; i < use->module->header_count; i++) {
		const ElfW(Phdr) *header = &use->module->headers[i];
		uintptr_t at = (use->module->bias + header->p_vaddr + WORD - 1) & ~(WORD - 1);
		uintptr_t end = use->module->bias + header->p_vaddr + header->p_memsz;

		if (header->p_type != PT_GNU_RELRO || end < at + WORD || !memory_range_readable(at, end - at))
			continue;
		for (; at + WORD <= end; at += WORD) {
			if (*(const uintptr_t *)at - use->slot->start >= use->slot->size)
				continue;
			if (use->aliases == ALIASES) {
				add(use, strings_intern(use->module->path));
				return;
			}
			use->alias[use->aliases++] = at;
		}
	}
}

/* A pointer in constant data may be used through a register: only those that handlers themselves state are the
 * tables'. */
static void judge_aliases(struct use *use)
{
	for (unsigned i = 0; i < use->aliases; i++) {
		struct use one = *use;

		one.alias[0] = use->alias[i];
		one.aliases = 1;
		one.found = false;
		for (uint32_t j = 0; j < use->slots->function_count && !one.found; j++)
			decode_function(use->slots->functions[j].start, use->slots->functions[j].size, compare, &one);
		if (!one.found)
			add(use, strings_intern(use->module->path));
	}
}

/* Which of the handlers' functions work with the slot? */
static void find_entries(struct use *use)
{
	for (uint32_t i = 0; i < use->slots->function_count; i++) {
		const struct slot_function *function = &use->slots->functions[i];

		use->found = false;
		if (function->role == SLOT_REGISTERS)
			continue;
		decode_function(function->start, function->size, compare, use);
		if (!use->found)
			continue;
		if (use->entries == ENTRIES)
			add(use, NULL);
		else
			use->entry[use->entries++] = function;
	}
}

/* Pointers to the handlers' functions among a module's data: a table of functions, or another module's calls. */
static void search_data(struct use *use)
{
	for (unsigned i = 0; i < use->module->header_count; i++) {
		const ElfW(Phdr) *header = &use->module->headers[i];
		uintptr_t at = (use->module->bias + header->p_vaddr + WORD - 1) & ~(WORD - 1);
		uintptr_t end = use->module->bias + header->p_vaddr + header->p_memsz;

		if (header->p_type != PT_LOAD || !(header->p_flags & PF_W) || end < at + WORD ||
		    !memory_range_readable(at, end - at))
			continue;
		for (; at + WORD <= end; at += WORD)
			for (unsigned j = 0; j < use->entries; j++)
				if (*(const uintptr_t *)at == use->entry[j]->start)
					add(use, strings_intern(use->module->path));
	}
}

static void search_module(struct use *use, const struct module *module)
{
	use->module = module;
	use->aliases = 0;
	if (!module->loaded || !memory_readable((uintptr_t)module->headers))
		return;
	find_aliases(use);
	if (module->id == use->slot->module) {
		judge_aliases(use);
		find_entries(use);
	}
	/* Another module that is told of the slot may do anything with it. */
	if (module->id != use->slot->module) {
		if (use->aliases)
			add(use, strings_intern(module->path));
		return;
	}
	for (unsigned i = 0; i < module->header_count; i++) {
		const ElfW(Phdr) *header = &module->headers[i];

		if (header->p_type == PT_LOAD && (header->p_flags & PF_X))
			search_code(use, module->bias + header->p_vaddr, module->bias + header->p_vaddr + header->p_memsz);
	}
}

uint32_t slot_readers(const struct slots *slots, const struct slot *slot, const char **names, uint32_t most)
{
	struct use use = { .slots = slots, .slot = slot, .names = names, .most = most };

	/* How much of what lies there is one thing nobody says: the code that works with it may name its beginning. */
	if (!slot->symbol) {
		add(&use, NULL);
		return use.count;
	}
	for (uint32_t i = 0; i < modules_count(); i++)
		search_module(&use, modules_get(i));
	for (uint32_t i = 0; i < modules_count() && use.entries; i++) {
		use.module = modules_get(i);
		if (use.module->loaded && memory_readable((uintptr_t)use.module->headers) && !slots_everybodys(use.module))
			search_data(&use);
	}
	return use.count;
}
