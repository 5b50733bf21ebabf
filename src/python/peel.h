/* SPDX-License-Identifier: Apache-2.0 */
/* peel.h - from a registered callable to its owners, through the plumbing. */
#ifndef PYTHON_PEEL_H
#define PYTHON_PEEL_H
#include "python/heap.h"

/* peel_registrations - fill owners, strength, raises and module_owner of every registration of @heap, and flag the
 * plumbing nodes. With the GIL, in the frozen copy; after heap_collect. Return: 0 or -ENOMEM. */
int peel_registrations(struct heap *heap);

/* peel_adopt - make @node, one of @registration's spaces, an owner of it, unless it is one. Return: 0 or -ENOMEM. */
int peel_adopt(struct heap_registration *registration, uint32_t node);

#endif
