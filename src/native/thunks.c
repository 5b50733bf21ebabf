/* SPDX-License-Identifier: Apache-2.0 */
#include "native/thunks.h"
#include <string.h>
#include "ledger/blocks.h"
#include "ledger/traces.h"
#include "native/decode.h"
#include "native/memory.h"
#include "native/modules.h"
#include "native/rules.h"

#define WORD sizeof(uintptr_t)
#define CODE_MOST 64u
#define VALUES 4u
#define CHUNK_MOST 65536u

/* libffi's closure: code (or what leads to it), then these. How long the code is depends on the version. */
struct tail {
	uintptr_t cif, function, user_data;
};
static const unsigned code_sizes[] = { 24, 32 };

/* What the thunk's code states, and where the word stands if it is read from memory. */
struct reading {
	struct { uintptr_t value, from; } values[VALUES];
	unsigned count;
};

static void note(void *reading_pointer, const struct reference *reference)
{
	struct reading *reading = reading_pointer;
	uintptr_t value = reference->target, from = 0;

	if (value < MEMORY_PAGE || reference->kind == REFERENCE_BASE) /* a distance */
		return;
	if (reference->kind == REFERENCE_DATA) {
		from = value;
		if (from % WORD || !memory_readable(from))
			return;
		value = *(const uintptr_t *)from;
	}
	if (reading->count < VALUES) {
		reading->values[reading->count].value = value;
		reading->values[reading->count].from = from;
	}
	reading->count++;
}

static bool in_code(uintptr_t address)
{
	uint32_t id = modules_find(address);
	const struct module *module = id == MODULE_NONE ? NULL : modules_get(id);

	for (unsigned i = 0; module && i < module->header_count; i++) {
		const ElfW(Phdr) *header = &module->headers[i];

		if (header->p_type == PT_LOAD && header->p_flags & PF_X &&
		    address - module->bias - header->p_vaddr < header->p_memsz)
			return true;
	}
	return false;
}

static bool is_function(uintptr_t address)
{
	struct cfi_image image;
	uintptr_t start;
	size_t size;

	return in_code(address) && rules_function(address, &image, &start, &size) && start == address;
}

/* In a block of the host's malloc? In those of Python's pools there are no closures, nor does malloc know their
 * size. */
static bool in_block(const struct root_span *span, uintptr_t address)
{
	uintptr_t block = blocks_at_or_before(address, address - span->start);
	uint64_t key = block ? traces_key(BLOCK_TRACE(blocks_get(block))) : 0;

	if (!block || (trace_tag(key) == TRACE_LEAF && (key >> 32 & 0x3fffffff) != TRACE_MALLOC))
		return false;
	return address - block < blocks_usable(block);
}

/* The chunk of Doug Lea's allocator that begins with the closure: of 16 bytes before it the second word is the size,
 * with three flags, and the next chunk says that this one is in use. */
static size_t chunk_size(const struct root_span *span, uintptr_t start, size_t least)
{
	uintptr_t head, next, size;

	if (start % 16 || start - span->start < 2 * WORD)
		return 0;
	memcpy(&head, (const void *)(start - WORD), WORD);
	size = head & ~(uintptr_t)7;
	if ((head & 6) != 2 || size % 16 || size > CHUNK_MOST || size < least + WORD || span->end - start < size)
		return 0;
	memcpy(&next, (const void *)(start - WORD + size), WORD);
	return next & 1 ? size - WORD : 0;
}

/* Mapped for this alone: what is shared has another address as well, by which it is written. */
static bool read_closure(const struct roots *roots, uintptr_t start, struct thunk *thunk)
{
	const struct root_span *span = roots_find(roots, start);
	struct tail tail;

	/* A mapping that libc's data happens to end at is one with it. */
	if (!span || start % WORD || (span->kind != ROOT_MEMORY && span->kind != ROOT_LIBC) || in_block(span, start))
		return false;
	for (unsigned i = 0; i < sizeof(code_sizes) / sizeof(code_sizes[0]); i++) {
		size_t size = code_sizes[i] + sizeof(tail);

		if (span->end - start < size)
			continue;
		memcpy(&tail, (const void *)(start + code_sizes[i]), sizeof(tail));
		if (!is_function(tail.function) || !memory_readable(tail.cif))
			continue;
		thunk->kind = THUNK_CLOSURE;
		thunk->function = tail.function;
		thunk->start = start;
		thunk->size = chunk_size(span, start, size);
		thunk->base = thunk->size ? start : span->start;
		thunk->size = thunk->size ? thunk->size : size;
		return true;
	}
	return false;
}

/* What a nested function's thunk leads to besides is its caller's frame: on a stack, where everything is alive. */
static bool read_nested(const struct reading *reading, const struct roots *roots, struct thunk *thunk)
{
	bool known = reading->count == 2;

	for (unsigned i = 0; i < reading->count; i++) {
		uintptr_t value = reading->values[i].value;
		const struct root_span *span = roots_find(roots, value);

		if (!thunk->function && is_function(value))
			thunk->function = value;
		else
			known &= span && !in_block(span, value);
	}
	if (thunk->function)
		thunk->kind = THUNK_NESTED;
	return known && thunk->function;
}

bool thunk_read(uintptr_t code, const struct roots *roots, struct thunk *thunk)
{
	struct reading reading = { .count = 0 };
	size_t size = CODE_MOST, left = MEMORY_PAGE - code % MEMORY_PAGE;

	*thunk = (struct thunk){ .code = code, .library = MODULE_NONE };
	if (left < size && !memory_range_readable(code, size))
		size = left;
	if (!decode_thunk(code, size, note, &reading) || reading.count > VALUES)
		return false;
	for (unsigned i = 0; i < reading.count; i++)
		if (in_code(reading.values[i].value))
			thunk->library = modules_find(reading.values[i].value);
	if (thunk->library == MODULE_NONE)
		return false;
	for (unsigned i = 0; i < reading.count; i++) {
		if (!read_closure(roots, reading.values[i].value, thunk))
			continue;
		thunk->parameter = reading.values[i].from;
		if (reading.count != 2)
			thunk->kind = THUNK_NONE;
		return thunk->kind != THUNK_NONE;
	}
	return read_nested(&reading, roots, thunk);
}
