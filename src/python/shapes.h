/* SPDX-License-Identifier: Apache-2.0 */
/* shapes.h - where things stand in the objects of CPython's own types, in words counted from the object. */
#ifndef PYTHON_SHAPES_H
#define PYTHON_SHAPES_H
#include <stddef.h>
#include <stdint.h>

#include "python/capi.h"

#define WORD sizeof(uintptr_t)

/* Before an object: two words for the collector, and before those (3.11+), for classes that keep them there, two that
 * may lead to its attributes and weak references. In bytes. */
#define GC_HEAD (2 * WORD)
#define PRE_HEADER (2 * WORD)
#define PRE_HEADERS_SINCE 0x030b
#define TYPE_MANAGED_DICT (1ul << 4)
#define TYPE_PRE_HEADER (TYPE_MANAGED_DICT | 1ul << 3)
#define ATTRIBUTES_FIRST (-4)
#define ATTRIBUTES_DICT (-3)

/* PyListObject, PySetObject, PyDictObject */
#define LIST_ITEMS 3
#define SET_TABLE 5
#define DICT_KEYS 4
#define DICT_VALUES 5

/* PyVarObject and PyASCIIObject: in items, characters, units of code; of an int in digits, with other bits below
 * them since 3.12. */
#define LENGTH 2
#define LONG_SHIFT 3
#define LONG_SHIFT_SINCE 0x030c

/* PyBytesObject, PyLongObject */
#define BYTES_TEXT 4
#define LONG_DIGITS 3

/* PyASCIIObject; the text of a compact one follows at once, else after two more words. In the word of its state most
 * bits are nobody's. */
#define STR_STATE 4
#define STR_TEXT_OLD 6
#define STR_TEXT 5            /* without the wchar_t form of before 3.12 */
#define STR_TEXT_SINCE 0x030c
static inline size_t str_text(void)
{
	return py.version >= STR_TEXT_SINCE ? STR_TEXT : STR_TEXT_OLD;
}

/* PyByteArrayObject: what it holds is, since 3.15, a bytes object that the collector is not told of. */
#define BYTEARRAY_OBJECT_SINCE 0x030f
#define BYTEARRAY_OBJECT 7

#endif
