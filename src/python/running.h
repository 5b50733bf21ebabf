/* SPDX-License-Identifier: Apache-2.0 */
/*
 * running.h - the local names of frames that run. A running frame is no object from CPython 3.11 on, and before that
 * one which the collector mostly does not know, so what it names has references that the graph does not explain.
 */
#ifndef PYTHON_RUNNING_H
#define PYTHON_RUNNING_H
#include <stdint.h>

#include "python/heap.h"

struct running_local {
	const pyobject *object;
	const char *function, *name;  /* interned */
};

struct running {
	struct running_local *locals;  /* threads as the interpreter lists them, inner frames first */
	uint32_t count, room;
};

/* running_collect - fill @running: all threads of the current interpreter, without frames that @heap shows. Makes frame
 * objects and dicts, so only in the frozen copy, and after the graph. Calls C code only; takes no lock. Out of memory:
 * what was found before. */
void running_collect(struct running *running, const struct heap *heap);

#endif
