/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an edge leads to is anywhere in memory. Its entry in the map, and then its count of edges, are therefore asked
 * for some time before they are used: each reference found passes a short queue, and edges are counted a few behind
 * the last. On a heap that no cache holds this halves the time.
 */
#include "python/edges.h"

#include <errno.h>
#include <stdlib.h>

#include "base/os.h"
#include "python/counted.h"

#define QUEUE 32u   /* references between the map's entry and its use */
#define BEHIND 16u  /* edges between their end and their counting */
#define AHEAD 8u    /* objects between asking for one and visiting it */
#define FIRST_ROOM ((1u << 16) - 64)  /* with an allocator's header, and doubled, still whole huge pages */

#define TYPE_SUBCLASS (1ul << 31)

/* No object: the next node's edges begin. */
struct reference {
	pyobject *object;
	uint32_t *slot;
	bool counted;
};

struct edges {
	struct heap *heap;
	struct reference queue[QUEUE];
	uint32_t put, taken;
	uint32_t done;   /* edges counted */
	uint32_t first;  /* edge of the object at hand */
	pyobject *object;
	bool counted;    /* does the reference at hand carry a count? */
};

static bool enlarge(void *array, size_t count, size_t size)
{
	void *larger = realloc(*(void **)array, count * size);
	if (larger)
		*(void **)array = larger;
	return larger;
}

static bool grow(struct heap *heap)
{
	uint32_t room = heap->room ? 2 * heap->room : FIRST_ROOM;
	if (room <= heap->room || !enlarge(&heap->objects, room, sizeof *heap->objects) ||
	    !enlarge(&heap->references, room, sizeof *heap->references) ||
	    !enlarge(&heap->edges_in, room + (size_t)2, sizeof *heap->edges_in) ||
	    !enlarge(&heap->graph.flags, room + (size_t)1, sizeof *heap->graph.flags)) {
		heap->error = -ENOMEM;
		return false;
	}
	heap->edges_in[0] = heap->edges_in[1] = 0;
	heap->room = room;
	return true;
}

uint32_t edges_add(struct heap *heap, pyobject *object, uint32_t *slot)
{
	if (likely(slot && *slot))
		return *slot == SLOT_EXCLUDED ? NODE_NONE : *slot - 1;
	if (unlikely(object && !slot))
		heap->error = -ENOMEM;
	if (unlikely(heap->error || (heap->count == heap->room && !grow(heap))))
		return NODE_NONE;
	uint32_t node = heap->count++;
	heap->objects[node] = object;
	heap->references[node] = 0;
	heap->edges_in[node + 2] = 0;
	heap->graph.flags[node] = object ? 0 : NODE_REGISTRATION;
	if (slot)
		*slot = node + 1;
	return node;
}

static void count_edge(struct edges *edges)
{
	edges->heap->edges_in[edges->heap->graph.target[edges->done++] + 2]++;
}

/* The reference that has waited longest becomes an edge. */
static void take(struct edges *edges)
{
	struct heap *heap = edges->heap;
	struct reference *reference = &edges->queue[edges->taken++ % QUEUE];
	int result;
	if (!reference->object) {
		result = graph_begin_node(&heap->graph);
	} else {
		uint32_t node = edges_add(heap, reference->object, reference->slot);
		if (node == NODE_NONE)
			return;
		__builtin_prefetch(&heap->edges_in[node + 2], 1);
		if (unlikely(!reference->counted)) /* the count is as far away as the object: not touched without need */
			heap->references[node]++;
		result = graph_edge(&heap->graph, node);
		if (heap->graph.edges > edges->done + BEHIND)
			count_edge(edges);
	}
	if (unlikely(result < 0))
		heap->error = result;
}

static void put(struct edges *edges, pyobject *object, uint32_t *slot)
{
	if (edges->put - edges->taken == QUEUE)
		take(edges);
	edges->queue[edges->put++ % QUEUE] = (struct reference){object, slot, edges->counted};
}

static int visit(pyobject *object, void *edges_pointer)
{
	struct edges *edges = edges_pointer;
	uint32_t *slot = node_map_slot(&edges->heap->map, object);
	__builtin_prefetch(slot, 1);
	put(edges, object, slot);
	return edges->heap->error;
}

static void take_all(struct edges *edges)
{
	while (edges->taken != edges->put && edges->heap->error == 0)
		take(edges);
}

/* Which of several edges into one object carry no count is the same to all: the first. */
static int visit_of_borrower(pyobject *object, void *edges_pointer)
{
	struct edges *edges = edges_pointer;
	const struct graph *graph = &edges->heap->graph;
	uint32_t node = heap_node(edges->heap, object), before = 0;
	for (uint32_t i = edges->first; i < graph->edges; i++)
		before += graph->target[i] == node;
	edges->counted = before >= counted_borrowed(edges->object, object);
	visit(object, edges);
	take_all(edges);
	edges->counted = true;
	return edges->heap->error;
}

/* Are instances of @type classes or modules? */
static bool is_namespace(const pytype *type)
{
	static struct {
		const pytype *type;
		bool yes;
	} memo[256];
	unsigned slot = (uintptr_t)type >> 4 & 255;
	if (memo[slot].type != type) {
		memo[slot].type = type;
		memo[slot].yes = type->flags & TYPE_SUBCLASS || type_inherits(type, py.PyModule_Type);
	}
	return memo[slot].yes;
}

static void visit_object(struct edges *edges, uint32_t node, const pyobject *interned)
{
	struct heap *heap = edges->heap;
	pyobject *object = heap->objects[node];
	int64_t count = object_refcount(object);
	uint8_t flags = is_namespace(object->type) ? NODE_NAMESPACE : 0;
	if (object_immortal(object))
		flags |= NODE_ROOT;
	else if (count <= 0 || count > UINT32_MAX)
		flags |= NODE_ROOT | NODE_UNEXPLAINED;
	heap->graph.flags[node] |= flags;
	heap->references[node] += (uint32_t)count;
	put(edges, NULL, NULL);
	if (!object_traversed(object) || object == interned)
		return;
	if (unlikely(counted_borrows(object))) {
		take_all(edges);
		edges->first = heap->graph.edges;
		edges->object = object;
		object->type->traverse(object, visit_of_borrower, edges);
	} else {
		object->type->traverse(object, visit, edges);
	}
}

static void visit_registration(struct edges *edges, const struct heap_registration *registration)
{
	put(edges, NULL, NULL);
	for (int phase = 0; phase < PHASES; phase++)
		if (registration->callable[phase])
			visit(registration->callable[phase], edges);
}

void edges_collect(struct heap *heap)
{
	struct edges edges = {.heap = heap, .counted = true};
	const pyobject *interned = counted_interned(heap->objects, heap->count);
	heap->error = graph_reserve(&heap->graph, heap->count + heap->count / 2 + 4096, 2 * (uint64_t)heap->count + 4096);
	for (uint32_t i = 0; i < heap->registration_count && heap->error == 0; i++)
		visit_registration(&edges, &heap->registrations[i]);
	for (uint32_t i = heap->registration_count; heap->error == 0; i++) {
		if (i == heap->count)
			take_all(&edges);
		if (i == heap->count)
			break;
		if (i + AHEAD < heap->count)
			__builtin_prefetch(heap->objects[i + AHEAD]);
		visit_object(&edges, i, interned);
	}
	if (heap->error == 0) {
		while (edges.done < heap->graph.edges)
			count_edge(&edges);
		heap->error = graph_end(&heap->graph);
	}
}
