/* SPDX-License-Identifier: Apache-2.0 */
/* blocks_pooled.h - blocks.h for the hot path of an allocator that has its pages for itself (CPython's), in the
 * caller's own code. */
#ifndef LEDGER_BLOCKS_POOLED_H
#define LEDGER_BLOCKS_POOLED_H
#include "ledger/blocks_fast.h"

/* The window of @address in a page that has some. */
static inline uint32_t *blocks_window(uint64_t page, uintptr_t address)
{
	uint32_t *windows = (uint32_t *)(uintptr_t)(page & ~BLOCKS_SHIFT_MASK);

	return windows + (address % (1u << WINDOWS_PAGE_SHIFT) >> (page & BLOCKS_SHIFT_MASK));
}

/* blocks_put_pooled - as blocks_put_exclusive. */
static inline void blocks_put_pooled(uintptr_t address, uint32_t trace, unsigned spacing)
{
	unsigned wanted = 31 - (unsigned)__builtin_clz(spacing | 1u << WINDOWS_NARROWEST);
	uint64_t page = blocks_page(address);
	unsigned shift = page & BLOCKS_SHIFT_MASK;

	if (likely(shift - 1 < wanted)) /* no page: shift is 0 */
		__atomic_store_n(blocks_window(page, address), trace | (uint32_t)(address >> (shift - 4)) << 28,
				 __ATOMIC_RELAXED);
	else
		blocks_put_exclusive(address, trace, spacing);
}

/* blocks_drop_plain - as blocks_take for a record without a flag; else nothing happens. Return: whether it was one. */
static inline bool blocks_drop_plain(uintptr_t address)
{
	uint64_t page = blocks_page(address);
	uint32_t *window, record;

	if (unlikely(!page))
		return false;
	window = blocks_window(page, address);
	record = __atomic_load_n(window, __ATOMIC_RELAXED) ^
		 (uint32_t)(address >> ((page & BLOCKS_SHIFT_MASK) - 4)) << 28;
	if (unlikely(record - 1 >= BLOCK_TRACE(UINT32_MAX)))
		return false;
	__atomic_store_n(window, BLOCK_NONE, __ATOMIC_RELAXED);
	return true;
}

#endif
