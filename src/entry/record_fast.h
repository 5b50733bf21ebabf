/* SPDX-License-Identifier: Apache-2.0 */
/* record_fast.h - record_put for the commonest wrappers, in their own code: of a host where everything is recorded and
 * no Python has been found. */
#ifndef ENTRY_RECORD_FAST_H
#define ENTRY_RECORD_FAST_H
#include "base/caller.h"
#include "entry/record.h"
#include "ledger/blocks_fast.h"
#include "ledger/claim.h"
#include "native/trace_fast.h"
#include "python/layout.h"

enum record_mode {
	RECORD_EARLY,    /* the constructor has not run */
	RECORD_ALL,
	RECORD_NATIVE,   /* native frames alone */
	RECORD_SAMPLED,
	RECORD_OFF,
};

struct record_state {
	uint32_t quiet;   /* calls of record_before without their record_after */
	uint32_t left;    /* allocations until the clock is looked at */
	int64_t bytes;    /* sampling: until the next record */
	uint64_t random;
};

extern uint8_t record_mode __attribute__((visibility("hidden")));
extern __thread struct record_state record_self __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* record_put_other - record_put, whatever the state. record_tick - look at the clock. */
void record_put_other(void *block, const void *frame);
void record_tick(void);

static inline __attribute__((always_inline)) void record_put_fast(void *block, const void *frame)
{
	struct caller caller = caller_at(frame);

	if (unlikely(!block || record_mode != RECORD_ALL || record_self.quiet || layout.version)) {
		if (!block || !claim_take((uintptr_t)block))
			record_put_other(block, frame);
		return;
	}
	if (unlikely(record_self.left-- == 0))
		record_tick();
	blocks_put_fast((uintptr_t)block, trace_leaf_here(caller.ip, caller.cfa, caller.fp));
}

#endif
