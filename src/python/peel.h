/* SPDX-License-Identifier: Apache-2.0 */
/* peel.h - from a registered callable to its owners, through the plumbing. */
#ifndef PYTHON_PEEL_H
#define PYTHON_PEEL_H
#include "python/heap.h"

/* peel_registrations - fill owners, strength, raises and module_owner of every registration of @heap, and flag the
 * plumbing nodes. With the GIL, in the frozen copy; after heap_collect. Return: 0 or -ENOMEM. */
int peel_registrations(struct heap *heap);

/* peel_spaces - classes, modules and functions' globals belong to the program, not to a callable. Where nothing but fork
 * registrations reaches one (@reach: of retention/reach.h, by node), it is an owner as well. Return: 0 or -ENOMEM. */
int peel_spaces(struct heap *heap, const uint8_t *reach);

#endif
