/* SPDX-License-Identifier: Apache-2.0 */
#include "python/buffers.h"

#include <stdlib.h>

/* PyListObject, PySetObject, PyDictObject: words of 8 bytes. */
#define LIST_ITEMS 3
#define SET_TABLE 5
#define DICT_KEYS 4
#define DICT_VALUES 5

/* PyBytesObject, PyLongObject: the first word behind the head says how long it is, in bytes, and in digits: since 3.12
 * above three other bits. Allocators give up to 15 bytes more than they are asked for. */
#define BYTES_LENGTH 2
#define BYTES_TEXT 4
#define LONG_LENGTH 2
#define LONG_DIGITS 3
#define LONG_DIGIT 4          /* bytes */
#define LONG_LENGTH_SHIFT 3
#define LONG_LENGTH_SHIFT_SINCE 0x030c
#define WORD sizeof(uintptr_t)
#define SLACK 16

/* Before an object: two words for the collector, and before those (3.11+) two that may lead to its attributes. */
#define TYPE_MANAGED_DICT (1ul << 4)
#define PRE_HEADERS_SINCE 0x030b
#define ATTRIBUTES_FIRST (-4)
#define ATTRIBUTES_DICT (-3)

#define TYPE_INLINE_VALUES (1ul << 2)  /* 3.13+: an instance's attributes may lie behind it */
#define TYPE_LONG (1ul << 24)
#define TYPE_LIST (1ul << 25)
#define TYPE_TUPLE (1ul << 26)
#define TYPE_UNICODE (1ul << 28)
#define TYPE_DICT (1ul << 29)

/* A type of the interpreter's own that is flagged as one of these: no class of the program's, whose instances may be
 * longer. */
bool buffers_plain(const pyobject *object)
{
	const pytype *type = object->type;

	return type == py.PyList_Type || type == py.PyDict_Type || type == py.PySet_Type || type == py.PyFrozenSet_Type ||
	       ((type->flags & (TYPE_LONG | TYPE_TUPLE | TYPE_UNICODE)) && !(type->flags & TYPE_HEAPTYPE) &&
		type->base && !type->base->base);
}

unsigned buffers_tables(const pyobject *object, uintptr_t tables[BUFFERS_TABLES])
{
	const pytype *type = object->type;
	const uintptr_t *words = (const uintptr_t *)object;
	unsigned count = 0;

	if (type->flags & TYPE_LIST) {
		tables[count++] = words[LIST_ITEMS];
	} else if (type->flags & TYPE_DICT) {
		tables[count++] = words[DICT_KEYS];
		tables[count++] = words[DICT_VALUES];
	} else if (type == py.PySet_Type || type == py.PyFrozenSet_Type || type_inherits(type, py.PySet_Type) ||
		   type_inherits(type, py.PyFrozenSet_Type)) {
		tables[count++] = words[SET_TABLE];
	}
	if (py.version >= PRE_HEADERS_SINCE && (type->flags & TYPE_MANAGED_DICT))
		for (intptr_t i = ATTRIBUTES_FIRST; i <= ATTRIBUTES_DICT; i++) /* 3.12 marks values by an odd address */
			if (count < BUFFERS_TABLES)
				tables[count++] = words[i] & ~(uintptr_t)1;
	return count;
}

uintptr_t buffers_least_end(const pyobject *object)
{
	return (uintptr_t)object + (uintptr_t)object->type->basic_size;
}

static bool fits(size_t length, size_t size)
{
	return length <= size && size - length < SLACK;
}

size_t buffers_pointers(uintptr_t block, size_t size)
{
	const uintptr_t *words = (const uintptr_t *)block;
	const pytype *type = size >= BYTES_TEXT * WORD ? ((const pyobject *)block)->type : NULL;
	uintptr_t length;

	if (type && type == py.PyBytes_Type) {
		length = words[BYTES_LENGTH];
		if (length < size && fits(BYTES_TEXT * WORD + length + 1, size))
			return BYTES_TEXT * WORD + length;
	} else if (type && type == py.PyLong_Type) {
		length = py.version >= LONG_LENGTH_SHIFT_SINCE ? words[LONG_LENGTH] >> LONG_LENGTH_SHIFT :
								 (uintptr_t)llabs(((const intptr_t *)words)[LONG_LENGTH]);
		if (length < size && fits(LONG_DIGITS * WORD + LONG_DIGIT * (length ? length : 1), size))
			return LONG_DIGITS * WORD;
	}
	return size;
}

uintptr_t buffers_end(const pyobject *object)
{
	const pytype *type = object->type;

	return type->item_size || (type->flags & TYPE_INLINE_VALUES) ? 0 : buffers_least_end(object);
}
