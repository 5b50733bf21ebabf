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

/* CALLER_FRAME - stands in the interposed function itself, where it makes the compiler set up a frame. caller_at -
 * what it says, as long as that function has not returned. Thread, signal, fork: safe. */
#if defined(__x86_64__)
#define CALLER_FRAME() ((const void *)__builtin_frame_address(0))

static inline struct caller caller_at(const void *frame)
{
	const uintptr_t *words = frame;

	return (struct caller){ .ip = words[1], .cfa = (uintptr_t)(words + 2), .fp = words[0] };
}
#else
/* aarch64: the frame record lies at the bottom of the frame, so it does not tell the caller's stack pointer. */
#define CALLER_FRAME() ((const void *)&(const struct caller){ \
	.ip = (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0)), \
	.cfa = (uintptr_t)__builtin_dwarf_cfa(), .fp = *(const uintptr_t *)__builtin_frame_address(0) })

static inline struct caller caller_at(const void *frame)
{
	return *(const struct caller *)frame;
}
#endif

#endif
