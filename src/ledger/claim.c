/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/claim.h"
#include "ledger/traces.h"

__thread struct claim claim_mine;

/* What took the claim may have been freed since, and its address be another thread's: the record tells, as far as it
 * matters. */
__attribute__((noinline)) void claim_settle(struct claim claim, uintptr_t block, uint32_t leaf)
{
	if (claim.block && claim.block != block && BLOCK_TRACE(blocks_get(claim.block)) == leaf)
		blocks_put(claim.block, traces_leaf(TRACE_ROOT, TRACE_MALLOC));
	if (block)
		blocks_put(block, leaf);
}
