/* SPDX-License-Identifier: Apache-2.0 */
/* lists.h - the ledger held against what the interpreters' lists really contain. */
#ifndef PYTHON_LISTS_H
#define PYTHON_LISTS_H
#include "python/heap.h"

/* lists_match - fill heap->registrations: every ledger entry that a list still has, and an entry (added to the
 * ledger, without stack, thread and time) for what only the lists know. An entry whose callables are in no list any
 * more, or whose interpreter has ended, is marked removed. With the GIL, in the frozen copy. Return: 0 or -ENOMEM. */
int lists_match(struct heap *heap);

#endif
