/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counted.h - which of the edges that tp_traverse shows carry a reference count. Nearly all do; from CPython 3.14 on
 * the collector is also shown what does not, and knows better itself.
 */
#ifndef PYTHON_COUNTED_H
#define PYTHON_COUNTED_H
#include <stdbool.h>
#include <stdint.h>

#include "python/capi.h"

/* counted_interned - the current interpreter's dict of interned strings, if it is among @objects; none of its edges
 * carries a count, and none keeps anything alive. Interns a text of its own for the search. NULL: not there. */
pyobject *counted_interned(pyobject *const *objects, uint32_t count);

/* counted_borrows - may this object hold borrowed references? */
bool counted_borrows(const pyobject *object);

/* counted_borrowed - how many of the edges from such an object @from into @to carry no count; never too few: a count
 * that stays unexplained makes @to an owner. */
uint32_t counted_borrowed(pyobject *from, const pyobject *to);

#endif
