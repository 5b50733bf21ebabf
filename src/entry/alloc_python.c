/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where CPython's allocators lead straight to malloc (PYTHONMALLOC=malloc), the hook in its table records the block. So
 * it passes malloc's wrapper by, and does what CPython's own functions for malloc do. In the frozen copy its heap
 * serves, as everywhere.
 */
#include <stdlib.h>
#include "entry/alloc.h"
#include "entry/alloc_real.h"
#include "python/objects.h"
#include "snapshot/freeze.h"

static void *python_malloc(void *context, size_t size)
{
	void *block;

	(void)context;
	if (size == 0)
		size = 1;
	if (unlikely(freeze_mode))
		return malloc(size);
	block = alloc_real.malloc(size);
	alloc_forget_links(block);
	return block;
}

static void *python_calloc(void *context, size_t count, size_t size)
{
	(void)context;
	if (count == 0 || size == 0)
		count = size = 1;
	return unlikely(freeze_mode) ? calloc(count, size) : alloc_real.calloc(count, size);
}

static void *python_realloc(void *context, void *block, size_t size)
{
	void *moved;

	(void)context;
	if (size == 0)
		size = 1;
	if (unlikely(freeze_mode))
		return realloc(block, size);
	moved = alloc_real.realloc(block, size);
	if (!block)
		alloc_forget_links(moved);
	return moved;
}

static void python_free(void *context, void *block)
{
	(void)context;
	if (unlikely(freeze_mode))
		free(block);
	else
		alloc_real.free(block);
}

void alloc_python(void)
{
	static const struct allocator past_wrapper = {
		NULL, python_malloc, python_calloc, python_realloc, python_free
	};

	if (alloc_in_use())
		objects_malloc(&past_wrapper);
}
