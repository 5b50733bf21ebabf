/* SPDX-License-Identifier: Apache-2.0 */
/* forks.h - the forks that ran handlers, counted. */
#ifndef LEDGER_FORKS_H
#define LEDGER_FORKS_H
#include <stdbool.h>
#include <stdint.h>
#include "ledger/registrations.h"

#define FORKS_INTERPRETERS 64u  /* python interpreters counted one by one */

/* forks_before/parent/child - called in the three phases of our own fork handler.
 * @interpreter: index of the interpreter whose Python handlers run with this fork, or INTERPRETER_NONE.
 * Signal: safe. */
void forks_before(uint32_t interpreter);
void forks_parent(uint32_t interpreter);
void forks_child(uint32_t interpreter);

/* forks_native, forks_python - the counts now. Python beyond FORKS_INTERPRETERS: false (calls unknown). */
struct fork_counts forks_native(void);
bool forks_python(uint32_t interpreter, struct fork_counts *counts);

/* forks_of - how often the handlers of @entry have run: from its making until now, or until dlclose removed it. A phase
 * without a callable has a count as well. Return: false where it cannot be known (also if the host removed it). */
bool forks_of(const struct registration *entry, struct fork_counts *calls);

#endif
