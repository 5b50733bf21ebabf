/* SPDX-License-Identifier: Apache-2.0 */
/* frames.h - functions that have frames of their own, without a frame pointer: NOINLINE before, and STAY behind the
 * last call, lest that be a jump. */
#ifndef TEST_FRAMES_H
#define TEST_FRAMES_H

#define NOINLINE __attribute__((noinline, noclone, optimize("omit-frame-pointer")))
#define STAY __asm__ volatile("" : : : "memory")

#endif
