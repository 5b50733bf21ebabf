/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h - what stands where in a frame, by its rule (cfi.h). */
#ifndef NATIVE_FRAME_H
#define NATIVE_FRAME_H
#include <stdint.h>
#include "native/cfi.h"

#define WORD sizeof(uintptr_t)

#if defined(__x86_64__)
#define ADDRESS(word) (word)
#else
#define ADDRESS(word) ((word) & 0xffffffffffff) /* above it may be a signature */
#endif

static inline uintptr_t word_at(uintptr_t address)
{
	return *(const uintptr_t *)address;
}

/* fp_slot, ra_slot - where the caller's frame pointer and the return address stand. */
static inline uintptr_t fp_slot(struct rule rule, uintptr_t cfa, uintptr_t fp)
{
	return (rule.fp == RULE_FP_AT_CFA ? cfa : fp) + WORD * (uintptr_t)(intptr_t)rule.fp_at;
}

static inline uintptr_t ra_slot(struct rule rule, uintptr_t cfa)
{
	return cfa + WORD * (uintptr_t)(intptr_t)rule.ra_at;
}

#endif
