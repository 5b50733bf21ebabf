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
/* lock_try - Return: false if anyone has it; never waits. */
bool lock_try(struct lock *lock);
void lock_release(struct lock *lock);
/* lock_reset - in the child of a fork, before anything else: the lock is free again whoever had it. */
void lock_reset(struct lock *lock);

#endif
