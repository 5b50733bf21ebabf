/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h - the Python heap as a graph, made in the frozen copy: nodes are objects, edges what tp_traverse visits; the
 * fork lists are replaced by one registration node for each call of os.register_at_fork.
 */
#ifndef PYTHON_HEAP_H
#define PYTHON_HEAP_H
#include <stdbool.h>
#include <stdint.h>

#include "ledger/registrations.h"
#include "python/capi.h"
#include "python/node_map.h"
#include "retention/graph.h"

/* Our own bits in graph.flags. */
#define NODE_PLUMBING 16u      /* peeled off a callable */
#define NODE_CLASS_DICT 32u    /* the namespace of a class */
#define NODE_MODULE_DICT 64u   /* the namespace of a module */
#define NODE_UNEXPLAINED 128u  /* NODE_ROOT because references are left over that nobody shows (not: immortal) */

enum strength { STRENGTH_STRONG, STRENGTH_WEAK, STRENGTH_DEAD_WEAK };

/* One registration: a call, matched with the interpreter's lists. Registration i is node i of the graph. */
struct heap_registration {
	struct registration *record;   /* ledger entry */
	pyobject *callable[PHASES];    /* as the lists have them; NULL where there is none */
	enum strength strength;
	bool raises;                   /* dead-weak: a call would raise */
	uint32_t *owners;              /* nodes, in phase order, then position; no doubles */
	uint32_t owner_count;
	uint32_t *spaces;              /* nodes of classes, modules and their namespaces behind the plumbing */
	uint32_t space_count;
	pyobject *module_owner;        /* without an owner: the module of a builtin function, or NULL */
};

/* References of a NODE_UNEXPLAINED node that no edge explains; 0 where the numbers do not add up. */
struct leftover {
	uint32_t node;
	uint32_t references;
};

struct heap {
	struct graph graph;
	struct node_map map;
	pyobject **objects;            /* [count]; NULL for registration nodes */
	/* While collecting: [count] the count of each object, plus the edges into it that carry none; */
	uint32_t *references;
	uint32_t *edges_in;            /* and the edges into node n, at n + 2: graph.reverse_first in the end */
	uint32_t *sizes;               /* [count] bytes as first asked for; 0 not asked yet */
	uint32_t count, room;
	struct heap_registration *registrations;
	uint32_t registration_count;
	uint32_t registry_node, registry_kind;  /* the last that registry_kind was asked for, and its answer */
	struct leftover *leftovers;    /* ascending by node */
	uint32_t leftover_count, leftover_room;
	uint64_t hidden;               /* objects that gc.freeze() hides */
	int error;                     /* while collecting: the first error */
};

/* heap_collect - registrations, lists and objects of all interpreters. With the GIL, in the frozen copy. After it the
 * graph has its edges, in both directions, flags NODE_ROOT, NODE_REGISTRATION, NODE_NAMESPACE and our own bits.
 * Return: 0 or a negative errno. Given back with the copy's heap. */
int heap_collect(struct heap *heap);

/* heap_node - the node of @object, or NODE_NONE. */
uint32_t heap_node(const struct heap *heap, const pyobject *object);

/* heap_leftover - references of the object at @node that nobody shows; 0 if none, or not known. */
uint32_t heap_leftover(const struct heap *heap, uint32_t node);

/* heap_size - sys.getsizeof(object), without calling Python code; remembered, as naming attributes later makes
 * dicts in the frozen heap. @heap: struct heap (void for callbacks). */
uint64_t heap_size(void *heap, uint32_t node);

#endif
