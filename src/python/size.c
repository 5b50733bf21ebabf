/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "python/heap.h"

/* PyGC_Head; and, for classes that keep their dict and weak references before the object, two pointers more. */
#define GC_HEAD 16
#define PRE_HEADER 16
#define TYPE_PRE_HEADER (1ul << 4 | 1ul << 3)
#define PRE_HEADERS_SINCE 0x030b

static bool has_c_sizeof(pytype *type)
{
	static pyobject *name;
	static struct { pytype *type; bool c; } memo[256];
	unsigned slot = (uintptr_t)type >> 4 & 255;
	if (memo[slot].type == type)
		return memo[slot].c;
	if (!name)
		name = py.PyUnicode_InternFromString("__sizeof__");
	pyobject *method = name && py._PyType_Lookup ? py._PyType_Lookup((pyobject *)type, name) : NULL;
	memo[slot].type = type;
	memo[slot].c = method && method->type == py.PyMethodDescr_Type;
	return memo[slot].c;
}

static uint64_t layout_size(const pyobject *object)
{
	const pytype *type = object->type;
	uint64_t size = (uint64_t)type->basic_size;
	if (type->item_size)
		size += (uint64_t)type->item_size * (uint64_t)llabs(((const intptr_t *)(object + 1))[0]);
	if (type->flags & TYPE_HAVE_GC)
		size += GC_HEAD;
	if (py.version >= PRE_HEADERS_SINCE && (type->flags & TYPE_PRE_HEADER))
		size += PRE_HEADER;
	return size;
}

static uint64_t measure(pyobject *object)
{
	if (has_c_sizeof(object->type) && py._PySys_GetSizeOf) {
		size_t size = py._PySys_GetSizeOf(object);
		if (size != (size_t)-1)
			return size;
		py.PyErr_Clear();
	}
	return layout_size(object);
}

uint64_t heap_size(void *heap_pointer, uint32_t node)
{
	struct heap *heap = heap_pointer;
	if (!heap->objects[node])
		return 0;
	if (heap->sizes[node])
		return heap->sizes[node];
	uint64_t size = measure(heap->objects[node]);
	if (size < UINT32_MAX)
		heap->sizes[node] = (uint32_t)size;
	return size;
}
