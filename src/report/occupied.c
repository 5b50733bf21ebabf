/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No type is asked what it allocates: there is nobody to ask. Instead the words of the object are held against the
 * table of blocks. What could mislead is left out: text and digits, the collector's links, dict keys that several dicts
 * share.
 */
#include "report/occupied.h"

#include <stdlib.h>

#include "base/address.h"
#include "ledger/blocks.h"
#include "native/memory.h"
#include "native/modules.h"
#include "python/objects.h"
#include "python/shapes.h"
#include "report/origin.h"

#define METATYPES 3u
#define NEIGHBOURS 256u       /* successors that are asked whether a buffer is theirs */
#define PREFIX 256u           /* dict values: their pointer leads behind a prefix of at most that many bytes */

struct walk {
	struct heap *heap;
	uintptr_t *seen;          /* open addressing, 0 free */
	uint32_t count, mask;
	uintptr_t *queue;         /* buffers whose words are still to be looked at */
	uint32_t queued, room;
	uint64_t bytes;
};

static uintptr_t *seen_slot(const struct walk *walk, uintptr_t address)
{
	uint32_t at = (uint32_t)((address >> 4) * 0x9e3779b97f4a7c15u >> 32) & walk->mask;
	while (walk->seen[at] && walk->seen[at] != address)
		at = (at + 1) & walk->mask;
	return &walk->seen[at];
}

/* Return: false if it was there, or there is no memory. */
static bool see(struct walk *walk, uintptr_t address)
{
	if (!walk->seen || walk->count > walk->mask / 2) {
		struct walk larger = {.mask = walk->seen ? 2 * walk->mask + 1 : 15};
		larger.seen = calloc(larger.mask + (size_t)1, sizeof *larger.seen);
		if (!larger.seen)
			return false;
		for (uint32_t i = 0; walk->seen && i <= walk->mask; i++)
			if (walk->seen[i])
				*seen_slot(&larger, walk->seen[i]) = walk->seen[i];
		free(walk->seen);
		walk->seen = larger.seen, walk->mask = larger.mask;
	}
	uintptr_t *slot = seen_slot(walk, address);
	if (*slot)
		return false;
	*slot = address;
	walk->count++;
	return true;
}

/* Is there a type at @address? What lies in a module may be anything, and lead to any object, that is no type. @depth:
 * metatypes that have metatypes. */
static bool is_type(const struct heap *heap, uintptr_t address, unsigned depth)
{
	const pytype *type = (const pytype *)address;
	if (address % WORD)
		return false;
	if (heap_node(heap, &type->head) == NODE_NONE &&
	    (modules_find(address) == MODULE_NONE || !memory_readable((uintptr_t)&type->head.type)))
		return false;
	const pytype *meta = type->head.type;
	if (meta == py.PyType_Type)
		return true;
	return depth && heap_node(heap, &meta->head) != NODE_NONE && is_type(heap, (uintptr_t)meta, depth - 1) &&
	       type_inherits(meta, py.PyType_Type);
}

/* Does an object live in the block at @address, one of the graph or one that only C code knows? */
static bool holds_object(const struct heap *heap, uintptr_t address, const struct origin *origin)
{
	size_t size = origin_block_size(address, true);
	for (uintptr_t head = 0; head <= 32 && head + sizeof(pyobject) <= size; head += 16) {
		const pyobject *object = (const pyobject *)(address + head);
		if (heap_node(heap, object) != NODE_NONE && objects_block(object) == address)
			return true;
		if (origin->kind == TRACE_PYTHON_OBJECT && is_type(heap, (uintptr_t)object->type, METATYPES))
			return true;
	}
	return false;
}

/* buffer_at - the buffer that begins at @address, or with @prefix shortly before it; 0 if there is none. */
static uintptr_t buffer_at(const struct walk *walk, uintptr_t address, bool prefix)
{
	if (address < 4096 || address >> ADDRESS_BITS || address % WORD)
		return 0;
	uintptr_t block = blocks_at_or_before(address, prefix ? PREFIX : 0);
	uint32_t record = block ? blocks_get(block) : BLOCK_NONE;
	if (record == BLOCK_NONE)
		return 0;
	struct origin origin = origin_of(BLOCK_TRACE(record));
	if (origin.kind == TRACE_MALLOC || (block != address && origin_block_size(block, true) <= address - block))
		return 0;
	return holds_object(walk->heap, block, &origin) ? 0 : block;
}

/* Types whose buffers hold references and nothing else need not be followed further. */
static bool plain_container(const pytype *type)
{
	return type == py.PyList_Type || type == py.PySet_Type || type == py.PyFrozenSet_Type || type == py.PyDict_Type ||
	       type_inherits(type, py.PyList_Type) || type_inherits(type, py.PySet_Type) ||
	       type_inherits(type, py.PyFrozenSet_Type);
}

static void add_buffer(struct walk *walk, uintptr_t block, bool follow)
{
	if (!block || !see(walk, block))
		return;
	walk->bytes += origin_block_size(block, true);
	if (!follow)
		return;
	if (walk->queued == walk->room) {
		uint32_t room = walk->room ? 2 * walk->room : 16;
		void *larger = realloc(walk->queue, room * sizeof *walk->queue);
		if (!larger)
			return;
		walk->queue = larger, walk->room = room;
	}
	walk->queue[walk->queued++] = block;
}

static void follow_buffers(struct walk *walk)
{
	while (walk->queued) {
		uintptr_t block = walk->queue[--walk->queued];
		const uintptr_t *words = (const uintptr_t *)block;
		for (size_t i = 0, count = origin_block_size(block, true) / WORD; i < count; i++)
			add_buffer(walk, buffer_at(walk, words[i], false), true);
	}
}

static bool points_at(const pyobject *object, uintptr_t address)
{
	const uintptr_t *words = (const uintptr_t *)object;
	for (size_t i = 2; i < (size_t)object->type->basic_size / WORD; i++)
		if (words[i] == address)
			return true;
	return false;
}

/* What an object refers to may be whose buffer it is: a memoryview's exporter, the structure of a ctypes field. */
static bool borrowed(const struct analysis *analysis, uint32_t node, uintptr_t address)
{
	const struct graph *graph = &analysis->heap.graph;
	uint32_t first = node == NODE_NONE ? 0 : graph->first[node], end = node == NODE_NONE ? 0 : graph->first[node + 1];
	for (uint32_t i = first; i < end && i - first < NEIGHBOURS; i++)
		if (graph->target[i] != node && points_at(analysis->heap.objects[graph->target[i]], address))
			return true;
	return false;
}

/* Where the pointer to the instance's __dict__ is, or NULL. */
static const uintptr_t *dict_word(const pyobject *object)
{
	const pytype *type = object->type;
	if (py.version >= PRE_HEADERS_SINCE && (type->flags & TYPE_MANAGED_DICT))
		return (const uintptr_t *)object + ATTRIBUTES_DICT;
	intptr_t offset = type->dict_offset;
	if (offset < 0) {
		intptr_t items = llabs(((const intptr_t *)(object + 1))[0]);
		offset += (type->basic_size + items * type->item_size + (intptr_t)WORD - 1) & -(intptr_t)WORD;
	}
	return offset > 0 ? (const uintptr_t *)((uintptr_t)object + (uintptr_t)offset) : NULL;
}

/* Its __dict__ goes with it if nobody else has a reference. (3.13+ does not always visit it.) */
static const pyobject *own_dict(const pyobject *object)
{
	const uintptr_t *word = dict_word(object);
	const pyobject *dict = word && *word % WORD == 0 ? (const pyobject *)*word : NULL;
	return dict && object_refcount(dict) == 1 && type_inherits(dict->type, py.PyDict_Type) ? dict : NULL;
}

static const pyobject *own_bytes(const pyobject *object)
{
	if (py.version < BYTEARRAY_OBJECT_SINCE || !type_inherits(object->type, py.PyByteArray_Type))
		return NULL;
	const pyobject *bytes = ((const pyobject *const *)object)[BYTEARRAY_OBJECT];
	return bytes && bytes->type == py.PyBytes_Type && object_refcount(bytes) == 1 ? bytes : NULL;
}

/* Keys that several dicts share begin with the number of those. */
static bool shared_keys(const struct walk *walk, uintptr_t keys)
{
	uintptr_t block = buffer_at(walk, keys, false);
	return block && *(const int64_t *)block != 1;
}

/* words_end - the first word behind those of the object that may be pointers. A str's text can look like one, and so
 * can what an earlier object left behind a short text. */
static size_t words_end(struct heap *heap, uint32_t node, const pyobject *object)
{
	size_t end = (size_t)object->type->basic_size / WORD;
	if (object->type != py.PyUnicode_Type || node == NODE_NONE)
		return end;
	size_t length = ((const size_t *)object)[LENGTH];
	bool ascii = heap_size(heap, node) == str_text() * WORD + length + 1;
	return ascii ? 0 : end - 1;
}

static void add_object(struct walk *walk, const struct analysis *analysis, const pyobject *object)
{
	const pytype *type = object->type;
	const uintptr_t *words = (const uintptr_t *)object;
	uintptr_t block = objects_block(object);
	uint32_t node = heap_node(walk->heap, object);
	bool dict = type_inherits(type, py.PyDict_Type), plain = plain_container(type);
	if (!block || !see(walk, block))
		return;
	size_t size = origin_block_size(block, true), room = block + size - (uintptr_t)object;
	walk->bytes += size;
	size_t end = words_end(walk->heap, node, object);
	for (size_t i = 2; i < end && (i + 1) * WORD <= room; i++) {
		bool part = dict && (i == DICT_KEYS || i == DICT_VALUES);
		if (dict && i == DICT_KEYS && shared_keys(walk, words[i]))
			continue;
		uintptr_t buffer = buffer_at(walk, words[i], dict && i == DICT_VALUES);
		if (buffer && (plain || part || !borrowed(analysis, node, words[i])))
			add_buffer(walk, buffer, !plain && !part);
	}
	if (py.version >= PRE_HEADERS_SINCE && (type->flags & TYPE_PRE_HEADER))
		for (intptr_t i = ATTRIBUTES_FIRST; i <= ATTRIBUTES_DICT; i++) /* 3.12 marks values by an odd address */
			add_buffer(walk, buffer_at(walk, words[i] + (words[i] & 1), true), false);
	follow_buffers(walk);
}

uint64_t occupied_bytes(struct analysis *analysis, uint32_t node)
{
	struct walk walk = {.heap = &analysis->heap};
	const pyobject *object = analysis->heap.objects[node];
	add_object(&walk, analysis, object);
	const pyobject *own[] = {own_dict(object), own_bytes(object)};
	for (size_t i = 0; i < sizeof own / sizeof *own && walk.bytes; i++)
		if (own[i])
			add_object(&walk, analysis, own[i]);
	free(walk.seen);
	free(walk.queue);
	return walk.bytes;
}
