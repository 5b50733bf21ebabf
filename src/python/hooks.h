/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.h - what stands in CPython's allocator table: the real call, and its record. */
#ifndef PYTHON_HOOKS_H
#define PYTHON_HOOKS_H
#include <stdbool.h>
#include <stddef.h>
#include "python/capi.h"
#include "python/memo.h"

/* One of CPython's domains, wrapped: the context of its hooks. */
struct domain {
	struct allocator real;
	unsigned kind;           /* memo_kind */
};

/* What the hooks go by, set by objects.c. */
struct hooks {
	bool plain;              /* all is as it mostly is: the short way will do (hooks_settle) */
	size_t most;             /* while plain: what is not larger, and not of no size, comes out of pymalloc's pools */
	bool frozen;             /* the report's own allocations: not recorded */
	bool reached;            /* while frozen: one has come by */
	bool pooled, debugged;   /* pymalloc is below; CPython's debug allocator is */
	bool straight;           /* malloc is, and its wrapper is passed by (objects_malloc) */
	memo_native_fn native;   /* NULL: native frames are not recorded */
	void *(*current_thread)(void);   /* capi_current, without the choice */
	void (*before)(void), (*after)(void);
	bool (*chosen)(size_t size);     /* NULL: all are recorded */
};
extern struct hooks hooks __attribute__((visibility("hidden")));

/* hooks_settle - something above has changed. */
void hooks_settle(void);

/* hooks_of - the table's entry that wraps @domain. */
struct allocator hooks_of(struct domain *domain);

#endif
