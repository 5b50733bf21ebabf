/* SPDX-License-Identifier: Apache-2.0 */
/* buffers.h - memory of CPython's own types in which only references to Python objects lie, if any: the graph has them
 * all, and what else is there is left from earlier uses. For the frozen copy. */
#ifndef PYTHON_BUFFERS_H
#define PYTHON_BUFFERS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/capi.h"

#define BUFFERS_TABLES 4u

/* buffers_plain - is @object itself such memory: a list, dict, set, tuple, text, number or weak reference, but of no
 * subclass? */
bool buffers_plain(const pyobject *object);

/* buffers_tables - addresses within further blocks of that kind: a list's items, a dict's keys and values, a set's
 * table, also of their subclasses; the attributes of an instance; the text about a class. Some may be no block's.
 * Return: how many. */
unsigned buffers_tables(const pyobject *object, uintptr_t tables[BUFFERS_TABLES]);

/* buffers_end - where @object ends if all of its type are as long, else 0. buffers_least_end - the part that its
 * type knows of: for an object without a record, one from before records were made, or nobody's heap. */
uintptr_t buffers_end(const pyobject *object);
uintptr_t buffers_least_end(const pyobject *object);

/* buffers_pointers - how many of the @size bytes of CPython's block at @block may hold pointers: of an int or an ASCII
 * text those of its head, of code those before its units, of bytes and a tuple none behind the last whole word, of a
 * container or frame on a free list none. Many of these the graph does not show; and what an earlier life of the block
 * left in them and behind them, or a few bytes and what pads them, looks like addresses. */
size_t buffers_pointers(uintptr_t block, size_t size);

/* buffers_flags - where the flags of a class stand, which look like an address of a heap that lies low; 0 if @object is
 * none. */
uintptr_t buffers_flags(const pyobject *object);

/* buffers_static - @visit the words in the interpreter's own data, [@start, @end), that could be taken for addresses
 * but are text, digits or code of static objects (3.11+: of modules that are part of the interpreter). What inline
 * caches in code hold is borrowed. */
void buffers_static(uintptr_t start, uintptr_t end, void (*visit)(void *context, uintptr_t at), void *context);

#endif
