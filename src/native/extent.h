/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extent.h - how far the stack reaches that a thread runs on: memory is read only between its stack pointer and
 * there. A thread's own stack ends where its thread block (or, for the first thread, what the kernel put there) lies.
 * Others, for coroutines or signal handlers, are asked for page by page.
 */
#ifndef NATIVE_EXTENT_H
#define NATIVE_EXTENT_H
#include <stdbool.h>
#include <stdint.h>
#include "base/os.h"

struct extent {
	uintptr_t low, high;            /* of the stack last met: readable without a gap */
	uintptr_t home_low, home_high;  /* of the thread's own */
};

/* extent_init - @top: the end of the thread's own stack, 0 if not known. */
static inline void extent_init(struct extent *extent, uintptr_t top)
{
	*extent = (struct extent){ top, top, top, top };
}

/* extent_change - the stack pointer is outside. Some system calls; afterwards it is inside. extent_reach - @address
 * lies above what is known: does the same stack reach that far? */
bool extent_change(struct extent *extent, uintptr_t sp);
bool extent_reach(struct extent *extent, uintptr_t address);

/* extent_enter - the thread runs at @sp. Return: false if there is no memory. */
static inline bool extent_enter(struct extent *extent, uintptr_t sp)
{
	return likely(sp >= extent->low && sp < extent->high) || extent_change(extent, sp);
}

/* extent_at_home - does @sp lie on the thread's own stack, as far as that has been seen? */
static inline bool extent_at_home(const struct extent *extent, uintptr_t sp)
{
	return sp >= extent->home_low && sp < extent->home_high;
}

/* extent_has - can the aligned word at @address, on the stack from @sp outward, be read? */
static inline bool extent_has(struct extent *extent, uintptr_t sp, uintptr_t address)
{
	if (unlikely(address < sp || address % sizeof(uintptr_t) != 0))
		return false;
	return likely(address < extent->high) || extent_reach(extent, address);
}

#endif
