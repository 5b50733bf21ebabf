/* SPDX-License-Identifier: Apache-2.0 */
/* A module for a running Python to load: what buffers_pointers, _tables, _flags and _static say of its objects. */
#define _GNU_SOURCE
#include "python/buffers.h"

#include "inside.h"

/* Return: 0 without a CPython that is understood. */
__attribute__((visibility("default"))) int test_attach(void);
int test_attach(void)
{
	return capi_load(inside_symbol) && !py.free_threaded;
}

__attribute__((visibility("default"))) size_t test_pointers(uintptr_t block, size_t size);
size_t test_pointers(uintptr_t block, size_t size)
{
	return buffers_pointers(block, size);
}

/* @tables: room for BUFFERS_TABLES. */
__attribute__((visibility("default"))) unsigned test_tables(const pyobject *object, uintptr_t *tables);
unsigned test_tables(const pyobject *object, uintptr_t *tables)
{
	return buffers_tables(object, tables);
}

__attribute__((visibility("default"))) uintptr_t test_flags(const pyobject *object);
uintptr_t test_flags(const pyobject *object)
{
	return buffers_flags(object);
}

struct words {
	uintptr_t *at;
	long count, room;
};

static void put(void *words_pointer, uintptr_t at)
{
	struct words *words = words_pointer;

	if (words->count < words->room)
		words->at[words->count] = at;
	words->count++;
}

/* Return: how many words are left out of [@start, @end), at most @room of their addresses in @at. */
__attribute__((visibility("default"))) long test_static(uintptr_t start, uintptr_t end, uintptr_t *at, long room);
long test_static(uintptr_t start, uintptr_t end, uintptr_t *at, long room)
{
	struct words words = {at, 0, room};

	buffers_static(start, end, put, &words);
	return words.count;
}
