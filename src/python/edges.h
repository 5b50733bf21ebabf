/* SPDX-License-Identifier: Apache-2.0 */
/* edges.h - internal to collection: the nodes of a heap, and the edges out of each. */
#ifndef PYTHON_EDGES_H
#define PYTHON_EDGES_H
#include "python/heap.h"

/* A slot of the map that stands for no node: the object is left out (the fork lists). */
#define SLOT_EXCLUDED UINT32_MAX

/* edges_add - the node of @object, new or not, whose entry in the map is @slot; NODE_NONE for what is left out, and
 * with heap->error set. @object NULL: a registration. */
uint32_t edges_add(struct heap *heap, pyobject *object, uint32_t *slot);

/* edges_collect - the edges out of all nodes, and the nodes they lead to: the graph, graph_end included. What can be
 * said of each object while it is at hand is in graph.flags. Errors: heap->error. */
void edges_collect(struct heap *heap);

#endif
