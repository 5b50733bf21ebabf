/* SPDX-License-Identifier: Apache-2.0 */
#include "python/registry.h"

#include <string.h>

#include "retention/reach.h"

/* Containers nested deeper than this, or with more referrers to look at, are taken for in use. */
#define DEPTH_MAX 8
#define STEPS_MAX 10000u

static bool is_plain(const pyobject *object)
{
	for (const pytype *type = object->type; type; type = type->base)
		if (type == py.PySet_Type || type == py.PyFrozenSet_Type || type == py.PyList_Type ||
		    type == py.PyDict_Type || strcmp(type->name, "collections.deque") == 0)
			return true;
	return false;
}

bool is_container(const pyobject *object)
{
	return is_plain(object) || object->type == py.PyTuple_Type;
}

static enum registry_kind kind_at(const struct heap *heap, const uint8_t *reach, uint32_t node, int depth,
				  uint32_t *steps)
{
	const struct graph *graph = &heap->graph;
	uint8_t flags = graph->flags[node];
	if (depth > DEPTH_MAX || !heap->objects[node] || !is_plain(heap->objects[node]) ||
	    (flags & (NODE_ROOT | NODE_CLASS_DICT | NODE_MODULE_DICT)))
		return REGISTRY_NOT;
	enum registry_kind kind = REGISTRY_NOT;
	for (uint32_t i = graph->reverse_first[node]; i < graph->reverse_first[node + 1]; i++) {
		uint32_t referrer = graph->source[i];
		if (++*steps > STEPS_MAX)
			return REGISTRY_NOT;
		if (referrer == node || reach[referrer] == REACH_NONE)
			continue;
		enum registry_kind through;
		if (graph->flags[referrer] & NODE_CLASS_DICT)
			through = REGISTRY_CLASS;
		else if (graph->flags[referrer] & NODE_MODULE_DICT)
			through = REGISTRY_MODULE;
		else
			through = kind_at(heap, reach, referrer, depth + 1, steps);
		if (through == REGISTRY_NOT)
			return REGISTRY_NOT;
		kind = through > kind ? through : kind;
	}
	return kind;
}

enum registry_kind registry_kind(struct heap *heap, const uint8_t *reach, uint32_t node)
{
	uint32_t steps = 0;
	if (node != heap->registry_node)  /* many owners share a container */
		heap->registry_kind = kind_at(heap, reach, node, 0, &steps);
	heap->registry_node = node;
	return heap->registry_kind;
}
