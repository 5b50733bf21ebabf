/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lock.h"
#include "base/guard.h"
#include "base/os.h"

enum { FREE, TAKEN, CONTENDED };

bool lock_take(struct lock *lock)
{
	uintptr_t self = (uintptr_t)&guard_depth;
	uint32_t seen = FREE;

	/* Only this thread itself can have written its own address, so a relaxed read decides. */
	if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == self)
		return false;
	if (!__atomic_compare_exchange_n(&lock->state, &seen, TAKEN, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		while (__atomic_exchange_n(&lock->state, CONTENDED, __ATOMIC_ACQUIRE) != FREE)
			os_wait(&lock->state, CONTENDED, UINT64_MAX, false);
	}
	__atomic_store_n(&lock->owner, self, __ATOMIC_RELAXED);
	return true;
}

bool lock_try(struct lock *lock)
{
	uint32_t seen = FREE;

	if (!__atomic_compare_exchange_n(&lock->state, &seen, TAKEN, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&lock->owner, (uintptr_t)&guard_depth, __ATOMIC_RELAXED);
	return true;
}

void lock_release(struct lock *lock)
{
	__atomic_store_n(&lock->owner, 0, __ATOMIC_RELAXED);
	if (__atomic_exchange_n(&lock->state, FREE, __ATOMIC_RELEASE) == CONTENDED)
		os_wake(&lock->state, false);
}

void lock_reset(struct lock *lock)
{
	__atomic_store_n(&lock->owner, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&lock->state, FREE, __ATOMIC_RELEASE);
}
