/* SPDX-License-Identifier: Apache-2.0 */
/* objects.h - CPython's allocator table, wrapped: each block of the object and mem domains gets its Python stack. */
#ifndef PYTHON_OBJECTS_H
#define PYTHON_OBJECTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "python/capi.h"
#include "python/memo.h"

/* objects_configure - before the interpreter starts: record (@on), and with native frames where an extension
 * allocates (@native, NULL for none). @before, @after: around the real allocator's calls, so that the malloc below
 * it is not recorded twice. @attached (or NULL): called when all is recorded from now on, with the GIL. */
void objects_configure(bool on, memo_native_fn native, void (*before)(void), void (*after)(void),
		       void (*attached)(void));

/* objects_sample - only blocks for which @chosen (bytes that the block takes) says so are recorded. Before the
 * interpreter starts. */
void objects_sample(bool (*chosen)(size_t size));

/* objects_malloc - where CPython's allocators lead straight to malloc, @allocator will be called in place of their
 * functions: it does the same, and nobody else records its blocks. Kept. Before the interpreter starts. */
void objects_malloc(const struct allocator *allocator);

/* objects_attach - from the posix module's initialisation (python/attach.c), in each interpreter: wraps the table
 * if it is not. @symbol: as for capi_load. With the GIL. */
void objects_attach(void *(*symbol)(const char *name));

/* objects_freeze - @on: what Python allocates from now on is the report's own, and not recorded. */
void objects_freeze(bool on);

/* objects_evaluator - address of the evaluation loop's function, 0 unknown. */
uintptr_t objects_evaluator(void);

/* objects_trace - the calling thread's Python stack as a path of the call tree, TRACE_ROOT if this thread runs no
 * Python (does not hold the GIL) or the version's frames are not known. For mallocs of extensions. Thread: any.
 * Signal: safe. */
uint32_t objects_trace(void);

/* objects_block - the block in which @object begins (its head may lie before it): its address, or 0 if none is
 * recorded. objects_block_size - bytes from @address on of the recorded block there, if it is one of CPython's pools or
 * of its debug allocator, else 0: malloc knows. Cheapest in ascending order. Frozen copy only. */
uintptr_t objects_block(const void *object);
size_t objects_block_size(uintptr_t address);

/* objects_debugged - is CPython's debug allocator at work? */
bool objects_debugged(void);

/* objects_approximate - may objects of this type come from a free list, with the record of an earlier life? @type:
 * PyTypeObject. */
bool objects_approximate(const void *type);

/* objects_state - NULL if every allocation since the posix module's import is recorded, else what is not and why.
 * Frozen copy only. */
const char *objects_state(void);

#endif
