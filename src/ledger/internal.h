/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what the ledger's own files share: one lock and one arena for all of it. Nothing outside includes
 * this. */
#ifndef LEDGER_INTERNAL_H
#define LEDGER_INTERNAL_H
#include "base/arena.h"
#include "base/lock.h"

/* Held for memory stores and an occasional mmap only: nothing of the host is ever called under it. */
extern struct lock ledger_lock;
extern struct arena ledger_arena;

/* registrations_inherit - in a fork's child: one generation more, nothing registered or removed by this process yet. */
void registrations_inherit(void);

#endif
