/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/os.h"
#include "ledger/blocks.h"
#include "python/capi.h"
#include "python/objects.h"
#include "python/shapes.h"

/* pymalloc's pools: aligned to their size, which grew with the radix tree of 3.10. */
#define LARGE_POOLS 0x030a
#define POOL_SMALL 4096u
#define POOL_LARGE 16384u
#define POOL_CLASSES 32u
#define DEBUG_HEAD 16u
#define DEBUG_TAIL 8u
#define DEBUG_FENCE 0xfd

struct pool {
	uint64_t used;                 /* the upper half is padding */
	uintptr_t free, next, previous;
	uint32_t arena, class;         /* class i: blocks of 16 * (i + 1) bytes */
	uint32_t next_offset, last_offset;
};

#define PAGE 4096u
#define KNOWN_PAGES_LOG2 12u

static uintptr_t page_of(uintptr_t address)
{
	return address & ~(uintptr_t)(PAGE - 1);
}

/* The page may be nobody's: the kernel looks, unless a block that lives begins in it. Nothing is unmapped meanwhile,
 * and blocks are asked for in ascending order, or as objects were made, out of a pool for each size: so at most about
 * one call a page will do. What is kept are no addresses, which would be taken for the host's pointers to what lies
 * there. */
static bool page_readable(uintptr_t page, uintptr_t block)
{
	static uintptr_t known[1u << KNOWN_PAGES_LOG2];
	uintptr_t *last = &known[page / PAGE * UINT64_C(0x9e3779b97f4a7c15) >> (64 - KNOWN_PAGES_LOG2)];

	if (*last == ~page)
		return true;
	if (page != page_of(block) && !os_readable(page))
		return false;
	*last = ~page;
	return true;
}

/* @size: less than a page. @block: as for page_readable. */
static bool read_memory(uintptr_t address, void *copy, size_t size, uintptr_t block)
{
	if (!page_readable(page_of(address), block) || !page_readable(page_of(address + size - 1), block))
		return false;
	memcpy(copy, (const void *)address, size);
	return true;
}

/* The head of the pool that begins at @start, kept for the next question: blocks are asked for in ascending order.
 * NULL: nobody's. */
static const struct pool *pool_at(uintptr_t start, uintptr_t block)
{
	static uintptr_t last;
	static bool mapped;
	static struct pool pool;

	if (start != last)
		mapped = read_memory(start, &pool, sizeof pool, block);
	last = start;
	return mapped ? &pool : NULL;
}

/* What only a pool's head would look like. */
static size_t class_size(uintptr_t address)
{
	uintptr_t bytes = py.version >= LARGE_POOLS ? POOL_LARGE : POOL_SMALL, start = address & ~(bytes - 1);
	uintptr_t first = start + sizeof(struct pool);
	const struct pool *pool = address < first ? NULL : pool_at(start, address);

	if (!pool || pool->class >= POOL_CLASSES)
		return 0;
	/* 32 bits are enough, and quickly divided. */
	uint32_t size = 16 * (pool->class + 1), room = (uint32_t)(bytes - sizeof *pool), used = (uint32_t)pool->used;
	uint32_t offset = (uint32_t)(address - first), blocks = room / size, next = pool->next_offset - sizeof *pool;
	if (offset % size != 0 || offset / size >= blocks || used == 0 || used > blocks)
		return 0;
	if (pool->free && (pool->free < first || pool->free - first >= room || (uint32_t)(pool->free - first) % size != 0))
		return 0;
	if (pool->last_offset != bytes - size || next > room || next % size != 0)
		return 0;
	return size;
}

/* The debug allocator writes before each block how long it is, most significant byte first, then its domain's
 * letter and a fence. What malloc knows begins elsewhere. Return: 0 if it is not one of its blocks. */
static size_t debug_size(uintptr_t address)
{
	uint8_t head[DEBUG_HEAD];
	size_t size = 0;

	if (!objects_debugged() || !read_memory(address - DEBUG_HEAD, head, sizeof head, address) || !head[8] ||
	    !strchr("rmo", head[8]))
		return 0;
	for (unsigned i = 9; i < DEBUG_HEAD; i++)
		if (head[i] != DEBUG_FENCE)
			return 0;
	for (unsigned i = 0; i < 8; i++)
		size = size << 8 | head[i];
	return size + DEBUG_TAIL;
}

size_t objects_block_size(uintptr_t address)
{
	size_t size = class_size(address);

	return size ? size : debug_size(address);
}

uintptr_t objects_block(const void *pointer)
{
	const pyobject *object = pointer;
	uintptr_t address = (uintptr_t)object;
	const pytype *type = object->type;

	/* Exactly as far as its type says: what lies before an object without a record may be another's block. */
	if ((type->flags & TYPE_HAVE_GC) && (!type->is_gc || type->is_gc((pyobject *)object)))
		address -= GC_HEAD;
	if (py.version >= PRE_HEADERS_SINCE && (type->flags & TYPE_PRE_HEADER))
		address -= PRE_HEADER;
	return blocks_get(address) != BLOCK_NONE ? address : 0;
}

/* Types with free lists: an object may stand in a block that an earlier one of them was allocated for. Names without
 * their modules; @until: not from that version on. */
static const struct {
	const char *name;
	uint16_t since, until;
} free_lists[] = {
	{ "float", 0x0309, 0xffff },
	{ "tuple", 0x0309, 0xffff },
	{ "list", 0x0309, 0xffff },
	{ "dict", 0x0309, 0xffff },
	{ "slice", 0x0309, 0xffff },
	{ "Context", 0x0309, 0xffff },
	{ "MemoryError", 0x0309, 0xffff },
	{ "FutureIter", 0x0309, 0xffff },
	{ "async_generator_asend", 0x0309, 0xffff },
	{ "async_generator_wrapped_value", 0x0309, 0xffff },
	{ "frame", 0x0309, 0x030b },
	{ "int", 0x030e, 0xffff },
	{ "method", 0x030e, 0xffff },
	{ "builtin_function_or_method", 0x030e, 0xffff },
	{ "builtin_method", 0x030e, 0xffff },
	{ "range", 0x030e, 0xffff },
	{ "range_iterator", 0x030e, 0xffff },
	{ "list_iterator", 0x030e, 0xffff },
	{ "tuple_iterator", 0x030e, 0xffff },
	{ "complex", 0x030f, 0xffff },
};

bool objects_approximate(const void *pointer)
{
	const pytype *type = pointer;
	const char *dot = strrchr(type->name, '.'), *name = dot ? dot + 1 : type->name;

	/* A class of the program's has a name without a dot. */
	if ((type->flags & TYPE_HEAPTYPE) && !dot)
		return false;
	for (unsigned i = 0; i < sizeof free_lists / sizeof *free_lists; i++)
		if (py.version >= free_lists[i].since && py.version < free_lists[i].until &&
		    strcmp(name, free_lists[i].name) == 0)
			return true;
	return false;
}
