/* SPDX-License-Identifier: Apache-2.0 */
/* tracked.h - the objects that the current interpreter's collector tracks, read off its lists as they lie in memory. */
#ifndef PYTHON_TRACKED_H
#define PYTHON_TRACKED_H
#include <stdbool.h>

#include "python/capi.h"

/* tracked_visit - call @visit(object, @context) for each, in the order of gc.get_objects, until it returns 0. Nothing
 * is written to any of them: CPython's own enumerations take a reference to each, which in a frozen copy duplicates the
 * whole heap, page by page. With the GIL. Return: false if the lists are not what they are in CPython 3.9 to 3.13, or
 * not at this moment; some objects may have been visited then. */
bool tracked_visit(int (*visit)(pyobject *object, void *context), void *context);

#endif
