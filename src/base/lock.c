/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lock.h"
#include <errno.h>
#include <stddef.h>
#include "base/guard.h"
#include "base/os.h"

/*
 * Taking the lock and saying whose it is must be one store: a signal handler that came between the two would wait for
 * its own thread for ever.
 */
#define WAITED UINT64_C(1)

/* The half of the word that changes with every owner and has the bit: that is what the kernel compares. */
static uint32_t *half(struct lock *lock)
{
	return (uint32_t *)&lock->word + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static bool take(struct lock *lock, uint64_t patience_ns, const bool *kept)
{
	uint64_t self = (uintptr_t)&guard_depth, seen = 0, wanted = self;

	while (!__atomic_compare_exchange_n(&lock->word, &seen, wanted, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		if ((seen & ~WAITED) == self)
			return false;
		if ((seen & WAITED || __atomic_compare_exchange_n(&lock->word, &seen, seen | WAITED, false, __ATOMIC_RELAXED,
								  __ATOMIC_RELAXED)) &&
		    os_wait(half(lock), (uint32_t)(seen | WAITED), patience_ns, false) == -ETIMEDOUT &&
		    __atomic_load_n(kept, __ATOMIC_ACQUIRE))
			return false;
		/* Others may wait too: whoever has waited wakes them in his turn. */
		wanted = self | WAITED;
		seen = 0;
	}
	return true;
}

bool lock_take(struct lock *lock)
{
	return take(lock, UINT64_MAX, NULL);
}

bool lock_take_unless(struct lock *lock, const bool *kept)
{
	return take(lock, LOCK_PATIENCE_NS, kept);
}

bool lock_try(struct lock *lock)
{
	uint64_t self = (uintptr_t)&guard_depth, seen = 0;

	return __atomic_compare_exchange_n(&lock->word, &seen, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void lock_release(struct lock *lock)
{
	if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) & WAITED)
		os_wake(half(lock), false);
}

void lock_reset(struct lock *lock)
{
	__atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
}
