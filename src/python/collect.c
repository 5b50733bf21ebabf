/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "python/counted.h"
#include "python/heap.h"
#include "python/interpreters.h"
#include "python/lists.h"
#include "python/tracked.h"

#define TYPE_SUBCLASS (1ul << 31)
#define VISIT_OBJECTS 0x030c
#define EXCLUDED UINT32_MAX

static bool grow(struct heap *heap)
{
	uint32_t room = heap->room ? 2 * heap->room : 1u << 16;
	void *objects = room > heap->room ? realloc(heap->objects, room * sizeof *heap->objects) : NULL;
	if (objects)
		heap->objects = objects;
	void *explained = objects ? realloc(heap->explained, room * sizeof *heap->explained) : NULL;
	if (!explained) {
		heap->error = -ENOMEM;
		return false;
	}
	heap->explained = explained;
	heap->room = room;
	return true;
}

/* The node of @object, new or not; NODE_NONE for what is left out (the fork lists), and on an error. */
static uint32_t add(struct heap *heap, pyobject *object)
{
	uint32_t *slot = node_map_slot(&heap->map, object);
	if (unlikely(!slot)) {
		heap->error = -ENOMEM;
		return NODE_NONE;
	}
	if (likely(*slot))
		return *slot == EXCLUDED ? NODE_NONE : *slot - 1;
	if (unlikely(heap->count == heap->room) && !grow(heap))
		return NODE_NONE;
	uint32_t node = heap->count++;
	heap->objects[node] = object;
	heap->explained[node] = 0;
	*slot = node + 1;
	return node;
}

static void edge(struct heap *heap, pyobject *object, bool counted)
{
	uint32_t node = add(heap, object);
	if (node == NODE_NONE)
		return;
	heap->explained[node] += counted;
	int result = graph_edge(&heap->graph, node);
	if (unlikely(result < 0))
		heap->error = result;
}

static int visit(pyobject *object, void *heap)
{
	edge(heap, object, true);
	return ((struct heap *)heap)->error;
}

struct borrower {
	struct heap *heap;
	pyobject *object;
	uint32_t first;  /* of its edges */
};

/* Which of several edges into one object carry no count is the same to all: the first. */
static int visit_of_borrower(pyobject *object, void *borrower_pointer)
{
	struct borrower *borrower = borrower_pointer;
	struct heap *heap = borrower->heap;
	uint32_t node = add(heap, object), before = 0;
	for (uint32_t i = borrower->first; i < heap->graph.edges; i++)
		before += heap->graph.target[i] == node;
	edge(heap, object, before >= counted_borrowed(borrower->object, object));
	return heap->error;
}

/* Returns 1 to go on. Only the address is taken: a reference may be held during this call. */
static int enumerate(pyobject *object, void *heap)
{
	add(heap, object);
	return ((struct heap *)heap)->error == 0;
}

static void enumerate_list(struct heap *heap, pyobject *list)
{
	for (intptr_t i = 0, size = py.PyList_Size(list); i < size && heap->error == 0; i++)
		add(heap, py.PyList_GetItem(list, i));
	py.Py_DecRef(list);
}

static void collect_objects(struct heap *heap, const struct interpreter *interpreter)
{
	heap->hidden = interpreters_hidden(interpreter);
	/* What a broken attempt has added is added only once. */
	if (tracked_visit(enumerate, heap))
		return;
	if (py.version >= VISIT_OBJECTS && py.PyUnstable_GC_VisitObjects) {
		py.PyUnstable_GC_VisitObjects(enumerate, heap);
		return;
	}
	pyobject *list = interpreters_gc(interpreter, GC_GET_OBJECTS);
	if (list)
		enumerate_list(heap, list);
	else
		heap->error = -ENOMEM;
}

static void exclude_lists(struct heap *heap)
{
	for (uint32_t i = 0; i < interpreters_count(); i++) {
		for (int phase = 0; phase < PHASES && !interpreters_get(i)->ended; phase++) {
			pyobject *list = interpreters_get(i)->lists[phase];
			uint32_t *slot = list ? node_map_slot(&heap->map, list) : NULL;
			if (slot)
				*slot = EXCLUDED;
		}
	}
}

static void begin(struct heap *heap)
{
	int result = graph_begin_node(&heap->graph);
	if (unlikely(result < 0))
		heap->error = result;
}

static void collect_edges(struct heap *heap)
{
	const pyobject *interned = counted_interned(heap->objects, heap->count);
	for (uint32_t i = 0; i < heap->registration_count && heap->error == 0; i++) {
		begin(heap);
		for (int phase = 0; phase < PHASES; phase++)
			if (heap->registrations[i].callable[phase])
				edge(heap, heap->registrations[i].callable[phase], true);
	}
	for (uint32_t i = heap->registration_count; i < heap->count && heap->error == 0; i++) {
		pyobject *object = heap->objects[i];
		begin(heap);
		struct borrower borrower = {heap, object, heap->graph.edges};
		if (!object_traversed(object) || object == interned)
			continue;
		if (unlikely(counted_borrows(object)))
			object->type->traverse(object, visit_of_borrower, &borrower);
		else
			object->type->traverse(object, visit, heap);
	}
}

static void mark_namespace(struct heap *heap, uint32_t node, pyobject *dict, uint8_t kind)
{
	heap->graph.flags[node] |= NODE_NAMESPACE;
	uint32_t names = dict ? heap_node(heap, dict) : NODE_NONE;
	if (names != NODE_NONE)
		heap->graph.flags[names] |= kind;
}

/* An owner that the graph does not show: references left over, immortal, or numbers that do not add up. */
static void mark_flags(struct heap *heap)
{
	uint8_t *flags = heap->graph.flags;
	for (uint32_t i = 0; i < heap->registration_count; i++)
		flags[i] |= NODE_REGISTRATION;
	for (uint32_t i = heap->registration_count; i < heap->count; i++) {
		pyobject *object = heap->objects[i];
		int64_t references = object_refcount(object);
		if (object_immortal(object))
			flags[i] |= NODE_ROOT;
		else if (references == 0 || references != heap->explained[i])
			flags[i] |= NODE_ROOT | NODE_UNEXPLAINED;
		if (object->type->flags & TYPE_SUBCLASS)
			mark_namespace(heap, i, ((pytype *)object)->dict, NODE_CLASS_DICT);
		else if (object_is(object, py.PyModule_Type))
			mark_namespace(heap, i, py.PyModule_GetDict(object), NODE_MODULE_DICT);
	}
}

int heap_collect(struct heap *heap)
{
	memset(heap, 0, sizeof *heap);
	heap->registry_node = NODE_NONE;
	graph_init(&heap->graph);
	uint32_t current = interpreters_current();
	if (current == INTERPRETER_NONE)
		return -ENXIO;
	const struct interpreter *interpreter = interpreters_get(current);
	int result = lists_match(heap);
	if (result < 0 || node_map_init(&heap->map) < 0)
		return result < 0 ? result : -ENOMEM;
	exclude_lists(heap);
	while (heap->count < heap->registration_count) {
		if (heap->count == heap->room && !grow(heap))
			return heap->error;
		heap->objects[heap->count++] = NULL;
	}
	collect_objects(heap, interpreter);
	if (heap->error == 0)
		collect_edges(heap);
	if (heap->error == 0)
		heap->error = graph_end(&heap->graph);
	if (heap->error == 0)
		mark_flags(heap);
	free(heap->explained);
	heap->explained = NULL;
	heap->sizes = calloc(heap->count + (size_t)1, sizeof *heap->sizes);
	return heap->error || heap->sizes ? heap->error : -ENOMEM;
}

uint32_t heap_node(const struct heap *heap, const pyobject *object)
{
	uint32_t entry = node_map_get(&heap->map, object);
	return entry == 0 || entry == EXCLUDED ? NODE_NONE : entry - 1;
}
