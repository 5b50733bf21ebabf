/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/times.h"

/* A slot is whole before the count covers it; sequences ascend. */
static struct {
	uint32_t sequence;
	bool spoilt;
	uint64_t calls[PHASES];
	struct handler_time time[PHASES];
} slots[TIMES_MAX];
static uint32_t count;

uint32_t times_count(void)
{
	return __atomic_load_n(&count, __ATOMIC_ACQUIRE);
}

void times_begin(uint32_t sequence)
{
	uint32_t slot = count;

	slots[slot].sequence = sequence;
	__atomic_store_n(&count, slot + 1, __ATOMIC_RELEASE);
}

void times_spoil(uint32_t slot)
{
	__atomic_store_n(&slots[slot].spoilt, true, __ATOMIC_RELAXED);
}

void times_add(uint32_t slot, enum phase phase, uint64_t ns)
{
	struct handler_time *time = &slots[slot].time[phase];
	uint64_t max = __atomic_load_n(&time->max_ns, __ATOMIC_RELAXED);

	__atomic_fetch_add(&slots[slot].calls[phase], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&time->total_ns, ns, __ATOMIC_RELAXED);
	while (ns > max &&
	       !__atomic_compare_exchange_n(&time->max_ns, &max, ns, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

bool times_of(uint32_t sequence, enum phase phase, struct handler_time *time)
{
	uint32_t used = times_count();

	for (uint32_t slot = 0; slot < used && slots[slot].sequence <= sequence; slot++) {
		if (slots[slot].sequence != sequence || slots[slot].spoilt || slots[slot].calls[phase] == 0)
			continue;
		*time = slots[slot].time[phase];
		return true;
	}
	return false;
}
