/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thunks.h - fork handlers whose code is no module's: a few instructions, made at run time, that put a pointer into a
 * register and jump to common code. Known are libffi's closures (ctypes, cffi), whose code lies in the closure itself
 * or in a page of its own beside a page of such pointers, and what GCC makes for nested functions.
 */
#ifndef NATIVE_THUNKS_H
#define NATIVE_THUNKS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "native/roots.h"

enum thunk_kind { THUNK_NONE, THUNK_CLOSURE, THUNK_NESTED };

struct thunk {
	enum thunk_kind kind;
	uintptr_t code;          /* what was registered */
	uintptr_t function;      /* what it calls in the end: the closure's function, the nested one */

	/* Of a closure: */
	uintptr_t start;         /* its memory, as it was allocated, */
	size_t size;
	uintptr_t base;          /* who knows an address from here on may know it: @start if an allocator says so */
	uintptr_t parameter;     /* the word beside the code that leads to it, or 0 */
	uint32_t library;        /* module that the common code lies in */
};

/* thunk_read - what is at @code? After decode_open; frozen copy. Return: false if that is not understood, or if what it
 * works with cannot be told from other memory; @thunk may have a function nevertheless. */
bool thunk_read(uintptr_t code, const struct roots *roots, struct thunk *thunk);

#endif
