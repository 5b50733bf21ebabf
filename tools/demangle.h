/* SPDX-License-Identifier: Apache-2.0 */
/* demangle.h - C++ names for people. */
#ifndef TOOLS_DEMANGLE_H
#define TOOLS_DEMANGLE_H
#include "pool.h"

/* demangle - what @name stands for, in C++'s own words, or @name itself: where it is no mangled name, or the C++
 * library that knows how is not installed. That library is opened with the first mangled name, never linked.
 * Owner: @pool, or the caller's own @name. */
const char *demangle(struct pool *pool, const char *name);

#endif
