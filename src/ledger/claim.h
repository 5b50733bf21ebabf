/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claim.h - a block whose leaf is known before it is there: who is about to have malloc called for a block of its own
 * claims it, and malloc's wrapper puts the claim's leaf instead of looking for a stack.
 *
 * Which of the mallocs below was for the block is known only when it is there. The first takes the leaf; if it was
 * another's, that one gets malloc's leaf without a stack, and the block its own after all. Those after the first are
 * recorded like any malloc.
 */
#ifndef LEDGER_CLAIM_H
#define LEDGER_CLAIM_H
#include <stdbool.h>
#include <stdint.h>
#include "base/os.h"
#include "ledger/blocks_fast.h"

struct claim {
	uint32_t leaf;     /* 0: taken, or nothing is claimed */
	uint32_t others;   /* mallocs that have found it so */
	uintptr_t block;   /* that took it */
};

extern __thread struct claim claim_mine __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* claim_begin - @leaf is for the block that this thread is about to ask for. Claims nest. Return: for claim_end.
 * claim_end - @block (0: none) is what came; after it, its record is @leaf.
 * Thread: any. Signal: safe; a handler's malloc may take the claim, as any other. */
static inline struct claim claim_begin(uint32_t leaf)
{
	struct claim outer = claim_mine;

	claim_mine = (struct claim){ .leaf = leaf };
	return outer;
}

void claim_settle(struct claim claim, uintptr_t block, uint32_t leaf);

static inline void claim_end(struct claim outer, uintptr_t block, uint32_t leaf)
{
	struct claim claim = claim_mine;

	claim_mine = outer;
	if (unlikely(claim.block != block || claim.others))
		claim_settle(claim, block, leaf);
}

/* claim_take - for malloc's wrapper: @block (not 0) has been allocated. Return: whether a claim has given it its
 * record. */
static inline bool claim_take(uintptr_t block)
{
	uint32_t leaf = claim_mine.leaf;

	if (!leaf) {
		claim_mine.others++;
		return false;
	}
	claim_mine = (struct claim){ .block = block };
	blocks_put_fast(block, leaf);
	return true;
}

#endif
