/* SPDX-License-Identifier: Apache-2.0 */
/* times.h - how long native fork handlers ran, of those registrations that are timed (entry/marks.h). */
#ifndef LEDGER_TIMES_H
#define LEDGER_TIMES_H
#include <stdbool.h>
#include <stdint.h>
#include "ledger/registrations.h"

#define TIMES_MAX 64u  /* registrations that can be timed */

struct handler_time {
	uint64_t total_ns, max_ns;
};

/* times_count - how many are, and so the next one's slot. */
uint32_t times_count(void);
/* times_begin - the entry @sequence of the ledger is timed from now on, in the next slot. Ascending, one caller at a
 * time, at most TIMES_MAX. */
void times_begin(uint32_t sequence);
/* times_spoil - what is measured in @slot is not that handler alone: its times are not known. */
void times_spoil(uint32_t slot);

/* times_add - the handler of @slot has run once. Thread: any. Signal: safe. Fork: safe, also in a fork's child. */
void times_add(uint32_t slot, enum phase phase, uint64_t ns);

/* times_of - sum and maximum since the registration, in this process and, before it was forked, its parents. Return:
 * false where they are not known. */
bool times_of(uint32_t sequence, enum phase phase, struct handler_time *time);

#endif
