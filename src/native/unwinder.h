/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwinder.h - the calling thread's frames, by the generic libunwind through accessors of our own. Its local mode is
 * not for a host: it keeps descriptors, and a library of its own in the global scope would catch exceptions.
 */
#ifndef NATIVE_UNWINDER_H
#define NATIVE_UNWINDER_H
#include <stdbool.h>
#include <stdint.h>

/* unwinder_open - Return: NULL if it can be used now, else why not (static text). Takes the loader's lock.
 * Call while this process has one thread. */
const char *unwinder_open(void);

/* unwinder_walk - call @frame for each frame of this thread, innermost first, our own included, until it returns false,
 * a frame has no unwind information (nothing is ever guessed), or the stack ends.
 * @address lies in the frame's function, at the call; @ip is the return address itself.
 * Thread: one at a time; after unwinder_open. */
void unwinder_walk(bool (*frame)(void *context, uintptr_t address, uintptr_t ip), void *context);

/* unwinder_step - one frame outward from that whose call (@ip - 1), stack pointer and frame pointer are given; all
 * other registers count as unknown. Thread, use: as unwinder_walk. Return: false if that does not suffice. */
bool unwinder_step(uintptr_t *ip, uintptr_t *sp, uintptr_t *fp);

#endif
