/* SPDX-License-Identifier: Apache-2.0 */
/* A module for a running Python to load: what tracked_visit finds there, to be held against gc.get_objects. */
#define _GNU_SOURCE
#include "python/tracked.h"

#include <string.h>

#include "inside.h"

struct sink {
	uintptr_t *addresses;
	size_t count, room;
};

static int take(pyobject *object, void *context)
{
	struct sink *sink = context;

	if (sink->count == sink->room)
		return 0;
	sink->addresses[sink->count++] = (uintptr_t)object;
	return 1;
}

/* Return: how many addresses there are now in @addresses, -1 if the lists could not be read, -2 without a CPython. */
__attribute__((visibility("default"))) long test_tracked(uintptr_t *addresses, size_t room);
long test_tracked(uintptr_t *addresses, size_t room)
{
	struct sink sink = {addresses, 0, room};

	if (!capi_load(inside_symbol))
		return -2;
	return tracked_visit(take, &sink) ? (long)sink.count : -1;
}
