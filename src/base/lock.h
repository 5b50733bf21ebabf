/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h - a futex lock that knows its owner: no libc, re-initialised (never unlocked) in a fork's child. A thread is
 * known by where its thread-local variables lie: no system call, and a thread that is not there any more cannot have
 * the address of one that is.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H
#include <stdbool.h>
#include <stdint.h>

struct lock {
	uint64_t word;  /* 0 free, else the owner; bit 0: somebody waits */
};

/* lock_take - Return: false if this thread has it already (a signal handler or a nested call: degrade, do not
 * wait). Signal: safe in that sense. errno unchanged. */
bool lock_take(struct lock *lock);
/* lock_take_unless - the same, but false, too, if @kept is true when it has been waited for LOCK_PATIENCE_NS: the owner
 * has said that he may himself be waiting for what the caller holds. */
#define LOCK_PATIENCE_NS UINT64_C(20000000)
bool lock_take_unless(struct lock *lock, const bool *kept);
/* lock_try - Return: false if anyone has it; never waits. */
bool lock_try(struct lock *lock);
void lock_release(struct lock *lock);
/* lock_reset - in the child of a fork, before anything else: the lock is free again whoever had it. */
void lock_reset(struct lock *lock);

#endif
