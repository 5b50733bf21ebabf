/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof.h - the words of the stack that prove which native calls a thread is in: as long as a call from the same place
 * finds them as they were, the frames between are the same.
 */
#ifndef BASE_PROOF_H
#define BASE_PROOF_H
#include <stdbool.h>
#include <stdint.h>
#include "base/caller.h"
#include "base/os.h"

#define PROOF_WORDS 12u
#define PROOF_GROUP 4u
#define PROOF_NONE UINT32_MAX

/* Words are counted from the caller's stack pointer, on x86-64 from two before it: there an interposed function has
 * stored the caller's frame pointer (caller_at). */
#ifdef __x86_64__
#define PROOF_BEFORE 2u
#else
#define PROOF_BEFORE 0u
#endif

struct proof {
	uintptr_t ip, cfa;              /* of the caller */
#if !PROOF_BEFORE
	uintptr_t fp;                   /* where needs_fp */
	bool needs_fp;
#endif
	uint16_t at[PROOF_WORDS];       /* the innermost first */
	uint32_t count;                 /* a multiple of PROOF_GROUP; PROOF_NONE: there is no proof */
	uintptr_t value[PROOF_WORDS];
};

/* Changes whenever an address may come to mean something else: what was proven before is void. Any thread.
 * proof_void - let it change. */
extern uint32_t proof_epoch __attribute__((visibility("hidden")));
static inline void proof_void(void) { __atomic_fetch_add(&proof_epoch, 1, __ATOMIC_RELEASE); }

/* proof_begin - of a call from @caller. @needs_fp: it must come with the same frame pointer, too. proof_add - one word
 * more, at @address. What does not fit makes it no proof. proof_end - that is all. */
static inline void proof_add(struct proof *proof, uintptr_t address, uintptr_t value)
{
	uintptr_t at = (address - (proof->cfa - PROOF_BEFORE * sizeof(uintptr_t))) / sizeof(uintptr_t);

	if (proof->count >= PROOF_WORDS || at > UINT16_MAX) {
		proof->count = PROOF_NONE;
		return;
	}
	proof->at[proof->count] = (uint16_t)at;
	proof->value[proof->count++] = value;
}

/* proof_add_fp - the caller's frame pointer, as it was at the call. */
static inline void proof_add_fp(struct proof *proof, uintptr_t fp)
{
#if PROOF_BEFORE
	proof_add(proof, proof->cfa - PROOF_BEFORE * sizeof(uintptr_t), fp);
#else
	proof->fp = fp;
	proof->needs_fp = true;
#endif
}

static inline void proof_begin(struct proof *proof, const struct caller *caller, bool needs_fp)
{
	proof->ip = caller->ip;
	proof->cfa = caller->cfa;
	proof->count = 0;
#if !PROOF_BEFORE
	proof->needs_fp = false;
#endif
	if (needs_fp)
		proof_add_fp(proof, caller->fp);
}

static inline void proof_end(struct proof *proof)
{
	while (proof->count != PROOF_NONE && proof->count % PROOF_GROUP != 0) {
#if PROOF_BEFORE
		proof_add(proof, proof->cfa - sizeof(uintptr_t), proof->ip); /* which holds anyway */
#else
		proof->at[proof->count] = proof->at[proof->count - 1];
		proof->value[proof->count] = proof->value[proof->count - 1];
		proof->count++;
#endif
	}
}

/* proof_holds - is the thread, calling from @caller, in the calls that @proof is of? Each word proves that the next
 * one belongs to a frame, so none is read that may not be there. */
static inline __attribute__((always_inline))
bool proof_holds(const struct proof *proof, const struct caller *caller)
{
	const uintptr_t *words = (const uintptr_t *)caller->cfa - PROOF_BEFORE;
	const uint16_t *at = proof->at;
	const uintptr_t *value = proof->value;

	if (unlikely(proof->ip != caller->ip || proof->cfa != caller->cfa))
		return false;
#if !PROOF_BEFORE
	if (proof->needs_fp && proof->fp != caller->fp)
		return false;
#endif
#define HOLDS(i) likely(words[at[i]] == value[i])
	for (unsigned left = proof->count; left >= PROOF_GROUP; left -= PROOF_GROUP) {
		if (!(HOLDS(0) && HOLDS(1) && HOLDS(2) && HOLDS(3)))
			return false;
		at += PROOF_GROUP;
		value += PROOF_GROUP;
	}
	return true;
#undef HOLDS
}

#endif
