/* SPDX-License-Identifier: Apache-2.0 */
/* registry.h - plain containers that only namespaces refer to: the other half of a joint retention. */
#ifndef PYTHON_REGISTRY_H
#define PYTHON_REGISTRY_H
#include "python/heap.h"

enum registry_kind { REGISTRY_NOT, REGISTRY_CLASS, REGISTRY_MODULE };

/* registry_kind - is @node a set, frozenset, list, dict or deque (or a subclass) whose referrers are class or
 * module namespaces, or such containers themselves, and nothing else? MODULE if a module is among them (it may
 * simply use its list). @reach: from reach_mark; referrers that nothing reaches are no referrers. Needs
 * graph_reverse. */
enum registry_kind registry_kind(struct heap *heap, const uint8_t *reach, uint32_t node);

/* is_container - a type that registry_kind knows, or a tuple. */
bool is_container(const pyobject *object);

#endif
