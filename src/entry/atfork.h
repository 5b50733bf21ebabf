/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atfork.h - libc's fork handlers: every registration passes here, and our own handlers around each fork.
 *
 * The whole fork protocol: our three handlers are registered before any other, so that our prepare handler runs last
 * and takes the locks (traces of allocations, unwind, modules, ledger, in this order) when no host code runs any more
 * until the fork, and our parent and child handlers run first and give them back (parent) or forget them (child).
 */
#ifndef ENTRY_ATFORK_H
#define ENTRY_ATFORK_H
#include <stdbool.h>

/* atfork_init - find libc's own functions and register our handlers. From the constructor, or from the first call of
 * one of our wrappers when a library's constructor runs before ours. Idempotent. Thread: any. errno unchanged. */
void atfork_init(void);

/* atfork_in_handler - a fork handler of the host runs in this thread: it is inside fork, daemon or forkpty. */
bool atfork_in_handler(void);
/* atfork_depth - how many such calls this thread is inside of: a handler may fork. */
unsigned atfork_depth(void);

#endif
