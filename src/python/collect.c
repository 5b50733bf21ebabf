/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/edges.h"
#include "python/interpreters.h"
#include "python/lists.h"
#include "python/tracked.h"

#define VISIT_OBJECTS 0x030c

static void add(struct heap *heap, pyobject *object)
{
	edges_add(heap, object, node_map_slot(&heap->map, object));
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
				*slot = SLOT_EXCLUDED;
		}
	}
}

/* The dict of a class or module. */
static void mark_names(struct heap *heap, pyobject *object)
{
	bool module = object_is(object, py.PyModule_Type);
	pyobject *dict = module ? py.PyModule_GetDict(object) : ((pytype *)object)->dict;
	uint32_t names = dict ? heap_node(heap, dict) : NODE_NONE;
	if (names != NODE_NONE)
		heap->graph.flags[names] |= module ? NODE_MODULE_DICT : NODE_CLASS_DICT;
}

/* Out of memory: not known. */
static void remember_leftover(struct heap *heap, uint32_t node, uint32_t references)
{
	if (heap->leftover_count == heap->leftover_room) {
		uint32_t room = heap->leftover_room ? 2 * heap->leftover_room : 1024;
		void *leftovers = realloc(heap->leftovers, room * sizeof *heap->leftovers);
		if (!leftovers)
			return;
		heap->leftovers = leftovers;
		heap->leftover_room = room;
	}
	heap->leftovers[heap->leftover_count++] = (struct leftover){node, references};
}

uint32_t heap_leftover(const struct heap *heap, uint32_t node)
{
	uint32_t low = 0, high = heap->leftover_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (heap->leftovers[middle].node < node)
			low = middle + 1;
		else
			high = middle;
	}
	return low < heap->leftover_count && heap->leftovers[low].node == node ? heap->leftovers[low].references : 0;
}

/* An owner that the graph does not show: references left over, or numbers that do not add up. */
static void mark_flags(struct heap *heap)
{
	uint8_t *flags = heap->graph.flags;
	for (uint32_t i = heap->registration_count; i < heap->count; i++) {
		uint32_t references = heap->references[i], edges = heap->edges_in[i + 2];
		if (!(flags[i] & NODE_ROOT) && references != edges) {
			flags[i] |= NODE_ROOT | NODE_UNEXPLAINED;
			remember_leftover(heap, i, references > edges ? references - edges : 0);
		}
		if (flags[i] & NODE_NAMESPACE)
			mark_names(heap, heap->objects[i]);
	}
}

static int collect(struct heap *heap, const struct interpreter *interpreter)
{
	exclude_lists(heap);
	while (heap->count < heap->registration_count)
		if (edges_add(heap, NULL, NULL) == NODE_NONE)
			return heap->error;
	collect_objects(heap, interpreter);
	if (heap->error == 0)
		edges_collect(heap);
	if (heap->error == 0)
		mark_flags(heap);
	free(heap->references);
	heap->references = NULL;
	return heap->error ? heap->error : graph_reverse_counted(&heap->graph, heap->edges_in);
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
	heap->hidden = interpreters_hidden(interpreter);
	/* Without a registration nothing lives through one: a graph without nodes says so, whatever the heap holds. */
	if (heap->registration_count)
		result = collect(heap, interpreter);
	else if ((result = graph_end(&heap->graph)) == 0)
		result = graph_reverse(&heap->graph);
	heap->sizes = calloc(heap->count + (size_t)1, sizeof *heap->sizes);
	return result || heap->sizes ? result : -ENOMEM;
}

uint32_t heap_node(const struct heap *heap, const pyobject *object)
{
	uint32_t entry = node_map_get(&heap->map, object);
	return entry == 0 || entry == SLOT_EXCLUDED ? NODE_NONE : entry - 1;
}
