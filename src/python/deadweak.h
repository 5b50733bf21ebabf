/* SPDX-License-Identifier: Apache-2.0 */
/* deadweak.h - the callables of a registration whose weak referent is gone: would calling them raise? */
#ifndef PYTHON_DEADWEAK_H
#define PYTHON_DEADWEAK_H
#include "python/heap.h"

/* deadweak_raises - true only if at least one callable certainly would (python/weakcall.h decides, from bytecode).
 * With the GIL, in the frozen copy; runs no Python code. */
bool deadweak_raises(const struct heap_registration *registration);

/* peel_is_partial - functools.partial or a subclass. */
bool peel_is_partial(const pyobject *object);

#endif
