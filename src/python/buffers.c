/* SPDX-License-Identifier: Apache-2.0 */
#include "python/buffers.h"

#include <stdlib.h>

#include "base/address.h"
#include "base/os.h"
#include "python/shapes.h"

#define CODE_UNIT 2u          /* bytes; since 3.11 they stand within the object */
#define CODE_UNITS_SINCE 0x030b
#define LONG_DIGIT 4u
#define GC_FLAGS 3            /* of an object that is on none of the collector's lists: no more than these */
#define LEAST (4 * WORD)
/* So many bytes more than it is asked for may an allocator give: CPython's, and glibc's, which it asks for more. */
#define SLACK(size) ((size) > 512 ? 48u : 16u)
/* Modules are frozen deep since then: their objects are static, and begin with this count. */
#define STATIC_SINCE 0x030b
#define STATIC_COUNT 999999999
#define STATIC_DRIFT 65536    /* counted from there */
#define STATIC_COUNT_12 0xffffffffu
#define STATIC_COUNT_14 0xc0000000u  /* with flags in the upper 16 bits of the word */
#define STATIC_FLAGS_SINCE 0x030e
#define STATIC_FLAGS_SHIFT 48
#define PAGE 4096u

#define TYPE_INLINE_VALUES (1ul << 2)  /* 3.13+: an instance's attributes may lie behind it */
#define TYPE_LONG (1ul << 24)
#define TYPE_LIST (1ul << 25)
#define TYPE_TUPLE (1ul << 26)
#define TYPE_UNICODE (1ul << 28)
#define TYPE_DICT (1ul << 29)
#define TYPE_TYPE (1ul << 31)

/* Their pointer to what they refer to holds nothing. */
static bool is_weak(const pytype *type)
{
	return type == py._PyWeakref_RefType || type == py._PyWeakref_ProxyType ||
	       type == py._PyWeakref_CallableProxyType;
}

/* A type of the interpreter's own that is flagged as one of these: no class of the program's, whose instances may be
 * longer. */
bool buffers_plain(const pyobject *object)
{
	const pytype *type = object->type;

	if (type == py.PyList_Type || type == py.PyDict_Type || type == py.PySet_Type || type == py.PyFrozenSet_Type)
		return true;
	return is_weak(type) || ((type->flags & (TYPE_LONG | TYPE_TUPLE | TYPE_UNICODE)) &&
				 !(type->flags & TYPE_HEAPTYPE) && type->base && !type->base->base);
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
	} else if (type->flags & TYPE_TYPE) {
		tables[count++] = (uintptr_t)((const pytype *)object)->doc;
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

/* What an object ends with: @units of @unit bytes from @start on, and @end bytes behind them. Pointers may stand below
 * @pointers alone. */
struct tail {
	size_t start, units, unit, end, pointers;
};

static size_t digits_of(size_t length)
{
	return py.version >= LONG_SHIFT_SINCE ? length >> LONG_SHIFT : (size_t)llabs((long long)length);
}

/* Of what the collector has nothing to do with. */
static bool tail_of(const pyobject *object, struct tail *tail)
{
	const pytype *type = object->type;
	size_t length = ((const uintptr_t *)object)[LENGTH];

	if (!type || object_refcount(object) <= 0)
		return false;
	if (type == py.PyBytes_Type)
		*tail = (struct tail){BYTES_TEXT * WORD, length, 1, 1, SIZE_MAX};
	else if (type == py.PyUnicode_Type) /* if it is of the compact kind, for ASCII: others do not fit */
		*tail = (struct tail){str_text() * WORD, length, 1, 1, STR_STATE * WORD};
	else if (type == py.PyLong_Type)
		*tail = (struct tail){LONG_DIGITS * WORD, digits_of(length), LONG_DIGIT, 0, LONG_DIGITS * WORD};
	else if (type == py.PyCode_Type && py.version >= CODE_UNITS_SINCE)
		*tail = (struct tail){(size_t)type->basic_size, length, CODE_UNIT, 0, (size_t)type->basic_size};
	else
		return false;
	return true;
}

/* Behind the collector's words, which say that the graph does not have it. */
static bool tail_of_untracked(uintptr_t block, struct tail *tail)
{
	const uintptr_t *links = (const uintptr_t *)block;
	const pyobject *object = (const pyobject *)(block + GC_HEAD);
	const pytype *type = object->type;

	if (!type || links[0] || links[1] > GC_FLAGS)
		return false;
	/* It waits for its next life on a free list, with the pointers of its last one. (From 3.14 on these lists are
	 * linked through the counts.) */
	if (object_refcount(object) == 0 &&
	    (type == py.PyDict_Type || type == py.PyList_Type || type == py.PyTuple_Type || type == py.PyFrame_Type))
		*tail = (struct tail){0};
	else if (object_refcount(object) > 0 && type == py.PyTuple_Type)
		*tail = (struct tail){(size_t)type->basic_size, ((const uintptr_t *)object)[LENGTH], WORD, 0, SIZE_MAX};
	else
		return false;
	return true;
}

size_t buffers_pointers(uintptr_t block, size_t size)
{
	struct tail tail;
	size_t head = 0, end;

	if (size < LEAST)
		return size;
	if (!tail_of((const pyobject *)block, &tail)) {
		head = GC_HEAD;
		if (!tail_of_untracked(block, &tail))
			return size;
		if (!tail.pointers)
			return head;
	}
	end = head + tail.start + tail.unit * tail.units;
	if (tail.units > size || end + tail.end > size || size - end - tail.end >= SLACK(size))
		return size;
	return end < tail.pointers ? end : tail.pointers;
}

uintptr_t buffers_flags(const pyobject *object)
{
	return object->type->flags & TYPE_TYPE ? (uintptr_t)&((const pytype *)object)->flags : 0;
}

/* As far as can be read: a file behind it may have become shorter. */
static uintptr_t readable_end(uintptr_t start, uintptr_t end)
{
	uintptr_t at = start & ~(uintptr_t)(PAGE - 1);

	while (at < end && os_readable(at))
		at += PAGE;
	return at < end ? at : end;
}

/* @length characters, none of which is beyond ASCII or ends a C string, and what does. */
static bool is_ascii(const signed char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] <= 0)
			return false;
	return !text[length];
}

/* Words with which static objects begin: those of which @mask leaves @first or up to @span more. The lower half of a
 * pointer would look like a count, too. */
struct beginning {
	uint64_t mask, first, span;
};

static struct beginning static_beginning(void)
{
	if (py.version < SPLIT_COUNT)
		return (struct beginning){UINT64_MAX, STATIC_COUNT - STATIC_DRIFT, 2 * STATIC_DRIFT};
	if (py.version < STATIC_FLAGS_SINCE)
		return (struct beginning){UINT64_MAX, STATIC_COUNT_12, 0};
	return (struct beginning){((uint64_t)1 << STATIC_FLAGS_SHIFT) - 1, STATIC_COUNT_14, 0};
}

/* Text, digits or code of the static object that may be at @at: [*@from, *@to). */
static bool static_text(uintptr_t at, uintptr_t end, uintptr_t *from, uintptr_t *to)
{
	const pyobject *object = (const pyobject *)at;
	struct tail tail;

	if (!tail_of(object, &tail) || tail.start > end - at ||
	    tail.units >= (end - at - tail.start) / tail.unit)
		return false;
	if (object->type == py.PyUnicode_Type && !is_ascii((const signed char *)(at + tail.start), tail.units))
		return false;
	*from = at + tail.start;
	*to = *from + tail.units * tail.unit;
	return true;
}

void buffers_static(uintptr_t start, uintptr_t end, void (*visit)(void *context, uintptr_t at), void *context)
{
	const struct beginning beginning = static_beginning();
	uintptr_t from = 0, to = 0, word;

	if (py.version < STATIC_SINCE)
		return;
	end = readable_end(start, end);
	for (uintptr_t at = start; at + LEAST <= end; at += WORD) {
		word = *(const uintptr_t *)at;
		if (at >= to && ((word & beginning.mask) - beginning.first > beginning.span ||
				 !static_text(at, end, &from, &to)))
			continue;
		if (at >= from && at < to && word >= PAGE && word >> ADDRESS_BITS == 0)
			visit(context, at);
	}
}

uintptr_t buffers_end(const pyobject *object)
{
	const pytype *type = object->type;

	return type->item_size || (type->flags & TYPE_INLINE_VALUES) ? 0 : buffers_least_end(object);
}
