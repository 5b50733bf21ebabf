/* SPDX-License-Identifier: Apache-2.0 */
/* trace_fast.h - trace.h for the hot path of a host without Python, in the caller's own code. */
#ifndef NATIVE_TRACE_FAST_H
#define NATIVE_TRACE_FAST_H
#include "base/caller.h"
#include "ledger/traces.h"
#include "native/rules.h"
#include "native/trail.h"
#include "native/walk.h"

extern __thread struct trail *trace_mine __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* trace_begin, trace_end - around all work on a thread's trail: a call that interrupts it finds it busy. */
static inline void trace_begin(struct trail *trail, uintptr_t ip, uintptr_t sp)
{
	__atomic_store_n(&trail->busy_ip, ip, __ATOMIC_RELAXED);
	__atomic_store_n(&trail->busy, sp, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void trace_end(struct trail *trail)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&trail->busy, 0, __ATOMIC_RELAXED);
}

/* trace_leaf_other - trace_leaf_here, whatever the state. trace_leaf_search - where the stack expected next is not the
 * one that is there. */
uint32_t trace_leaf_other(uintptr_t ip, uintptr_t sp, uintptr_t fp);
uint32_t trace_leaf_search(struct trail *trail, uintptr_t ip, uintptr_t sp, uintptr_t fp);

/* trace_leaf_here - malloc's leaf under trace_here's node without a parent; arguments as in struct caller. Where stacks
 * follow each other as they did the last time, a hit looks at one twig: a word compared for each frame, and little
 * else. */
static inline __attribute__((always_inline)) uint32_t trace_leaf_here(uintptr_t ip, uintptr_t sp, uintptr_t fp)
{
	struct trail *trail = trace_mine;
	const struct twig *twig;
	unsigned next;
	uint32_t leaf;

	if (unlikely(!trail || trail->busy || trail->epoch != __atomic_load_n(&rules_epoch, __ATOMIC_RELAXED)))
		return trace_leaf_other(ip, sp, fp);
	trace_begin(trail, ip, sp);
	next = trail->after[trail->lately];
	twig = &trail->twigs[next];
	if (likely(twig->sp == sp && twig->ip == ip && twig->epoch == traces_epoch() && walk_twig_holds(trail, twig))) {
		trail_met(trail, next);
		leaf = twig->leaf;
	} else {
		leaf = trace_leaf_search(trail, ip, sp, fp);
	}
	trace_end(trail);
	return leaf;
}

#endif
