/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "python/heap.h"
#include "python/shapes.h"

/* How the size of a type's instances is found. */
struct measure {
	pytype *type;
	bool c;         /* __sizeof__ is C code, */
	bool general;   /* namely object's: where no instance is longer than another, all have one size, */
	uint64_t fixed; /* once it is known */
	cfunction_fn function; /* other C code that takes no argument, */
	uint64_t head;  /* and what sys.getsizeof adds to its answer, */
	bool known;     /* once that is known */
};

/* PyMethodDescrObject: the head, its type, its name, its qualified name. */
struct method_descriptor {
	pyobject head;
	void *unused[3];
	const struct method_def *definition;
};

static const pytype *root_of(const pytype *type)
{
	while (type->base)
		type = type->base;
	return type;
}

static struct measure *measure_of(pytype *type)
{
	static pyobject *name;
	static struct measure memo[256];
	struct measure *measure = &memo[(uintptr_t)type >> 4 & 255];
	if (measure->type == type)
		return measure;
	if (!name)
		name = py.PyUnicode_InternFromString("__sizeof__");
	pyobject *method = NULL, *general = NULL;
	if (name && py._PyType_Lookup) {
		method = py._PyType_Lookup((pyobject *)type, name);
		general = py._PyType_Lookup((pyobject *)root_of(type), name);
	}
	bool c = method && method->type == py.PyMethodDescr_Type;
	const struct method_def *definition = c ? ((struct method_descriptor *)method)->definition : NULL;
	*measure = (struct measure){
		.type = type,
		.c = c,
		.general = method && method == general && !type->item_size,
		/* Where is_gc is there, some have a collector's head and some not. */
		.function = definition && definition->flags == METH_NOARGS_FLAG && !type->is_gc
			? (cfunction_fn)definition->function : NULL,
	};
	return measure;
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

/* As sys.getsizeof asks. */
static size_t ask(pyobject *object)
{
	size_t size = py._PySys_GetSizeOf(object);
	if (size == (size_t)-1)
		py.PyErr_Clear();
	return size;
}

/* What the function itself says: sys.getsizeof makes a bound method first, which writes to the object and in a frozen
 * copy duplicates its page. */
static size_t ask_function(const struct measure *measure, pyobject *object)
{
	pyobject *number = measure->function(object, NULL);
	size_t size = number ? py.PyLong_AsSize_t(number) : (size_t)-1;
	if (size == (size_t)-1)
		py.PyErr_Clear();
	if (number)
		py.Py_DecRef(number);
	return size;
}

static uint64_t measure(pyobject *object)
{
	struct measure *measure = measure_of(object->type);
	if (measure->fixed)
		return measure->fixed;
	if (!measure->c || !py._PySys_GetSizeOf)
		return layout_size(object);
	size_t own = measure->function ? ask_function(measure, object) : (size_t)-1;
	if (own != (size_t)-1 && measure->known)
		return own + measure->head;
	size_t size = ask(object);
	if (size == (size_t)-1)
		return layout_size(object);
	measure->fixed = measure->general ? size : 0;
	measure->known = own != (size_t)-1;
	measure->head = size - own;
	return size;
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
