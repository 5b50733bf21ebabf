/* SPDX-License-Identifier: Apache-2.0 */
/* A module for a running Python to load: what buffers_pointers says of its objects. */
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
