/* SPDX-License-Identifier: Apache-2.0 */
#include "python/counted.h"

#include "python/shapes.h"

/* From here on the collector knows every dict, that of the interned strings included; and frames, generators and
 * coroutines have borrowed references among the values that they work on. */
#define SINCE 0x030e
/* An interpreter that has started has interned more strings than this: most dicts need no further look. */
#define INTERNED_MIN 256
/* The mark of a reference that carries no count, in the low bits of its address; what those bits are. */
#define BORROWED 1u
#define MARKS 3u

pyobject *counted_interned(pyobject *const *objects, uint32_t count)
{
	/* Nobody else's dict has this text as its own value. */
	static const char text[] = "forkheld: which dict has the interned strings?";
	pyobject *name = py.version >= SINCE ? py.PyUnicode_InternFromString(text) : NULL;
	pyobject *found = NULL;
	for (uint32_t i = 0; name && i < count && !found; i++)
		if (objects[i] && objects[i]->type == py.PyDict_Type && py.PyDict_Size(objects[i]) > INTERNED_MIN &&
		    py.PyDict_GetItemString(objects[i], text) == name)
			found = objects[i];
	if (name)
		py.Py_DecRef(name);
	return found;
}

bool counted_borrows(const pyobject *object)
{
	const pytype *type = object->type;
	return py.version >= SINCE && (type == py.PyFrame_Type || type == py.PyGen_Type || type == py.PyCoro_Type ||
				       type == py.PyAsyncGen_Type);
}

/* The frame lies within the object, its values at the end: up to where its stack pointer points, and that is the last
 * pointer into the object itself. Values beyond have been taken off the stack, though their words are still there. */
static const uintptr_t *end_of_values(const uintptr_t *words, size_t count)
{
	uintptr_t start = (uintptr_t)words, end = 0;
	for (size_t i = 0; i < count; i++)
		if (words[i] > start && words[i] <= start + count * sizeof *words && words[i] > end)
			end = words[i];
	return (const uintptr_t *)(end ? end : start + count * sizeof *words);
}

uint32_t counted_borrowed(pyobject *from, const pyobject *to)
{
	size_t size = py._PySys_GetSizeOf ? py._PySys_GetSizeOf(from) : 0;
	if (size == (size_t)-1)
		py.PyErr_Clear();
	if (size == 0 || size == (size_t)-1)
		return UINT32_MAX;
	const uintptr_t *words = (const uintptr_t *)from;
	const uintptr_t *end = end_of_values(words, (size - GC_HEAD) / sizeof *words);
	uint32_t count = 0;
	for (; words < end; words++)
		count += (*words & ~(uintptr_t)MARKS) == (uintptr_t)to && (*words & BORROWED);
	return count;
}
