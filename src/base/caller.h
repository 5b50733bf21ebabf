/* SPDX-License-Identifier: Apache-2.0 */
/* caller.h - where an interposed function was called from: all that an unwinder needs to go on from there. */
#ifndef BASE_CALLER_H
#define BASE_CALLER_H
#include <stdint.h>

struct caller {
	uintptr_t ip;   /* return address into the caller */
	uintptr_t cfa;  /* the caller's stack pointer once the call has returned */
	uintptr_t fp;   /* the caller's frame pointer register (rbp, x29), whatever it holds */
};

/* caller_at - @frame: __builtin_frame_address(0) of the interposed function itself, which makes the compiler set up a
 * frame there. Thread, signal, fork: safe. */
static inline struct caller caller_at(const void *frame)
{
	const uintptr_t *words = frame;

#if defined(__x86_64__)
	return (struct caller){ .ip = words[1], .cfa = (uintptr_t)(words + 2), .fp = words[0] };
#else
	/* The frame record lies at the bottom of the callee's frame: it does not tell the caller's stack pointer. */
	return (struct caller){ .ip = words[1], .cfa = 0, .fp = words[0] };
#endif
}

#endif
