/* SPDX-License-Identifier: Apache-2.0 */
/* blocks_fast.h - blocks.h for the hot path: the way of glibc's own heap, whose pages have windows of 32 bytes, in the
 * caller's own code. All else leads to blocks.c. */
#ifndef LEDGER_BLOCKS_FAST_H
#define LEDGER_BLOCKS_FAST_H
#include "base/address.h"
#include "base/os.h"
#include "ledger/blocks.h"
#include "ledger/windows.h"

#define BLOCKS_REGION_SHIFT 30u  /* heap that one table of pages speaks of: 1 GiB in 2 MiB, touched where heap is */
#define BLOCKS_REGIONS (1u << (ADDRESS_BITS - BLOCKS_REGION_SHIFT))
#define BLOCKS_REGION_PAGES (1u << (BLOCKS_REGION_SHIFT - WINDOWS_PAGE_SHIFT))
#define BLOCKS_GLIBC_SHIFT 5u

/* A page: the address of its windows | their shift; 0 as long as no block began there. */
#define BLOCKS_SHIFT_MASK ((uint64_t)WINDOWS_ALIGNMENT - 1)

/* A bit for each page that has windows, and for each region: whoever goes through all of them reads few of the pages
 * that nobody touched. */
struct blocks_region {
	uint64_t page[BLOCKS_REGION_PAGES];
	uint64_t used[BLOCKS_REGION_PAGES / 64];
	uint64_t shared[BLOCKS_REGION_PAGES / 64];  /* and for each in which two blocks may begin in one window */
};
extern struct blocks_region *blocks_regions[BLOCKS_REGIONS] __attribute__((visibility("hidden")));
extern uint8_t blocks_fast_shift __attribute__((visibility("hidden"))); /* BLOCKS_GLIBC_SHIFT, or of no page */

/* blocks_page_at - the page's word, or NULL where no table is. blocks_page - what it says. */
static inline uint64_t *blocks_page_at(uintptr_t address)
{
	struct blocks_region *region;

	if (unlikely(address >> ADDRESS_BITS))
		return NULL;
	region = __atomic_load_n(&blocks_regions[address >> BLOCKS_REGION_SHIFT], __ATOMIC_ACQUIRE);
	return likely(region) ? &region->page[address >> WINDOWS_PAGE_SHIFT & (BLOCKS_REGION_PAGES - 1)] : NULL;
}

static inline uint64_t blocks_page(uintptr_t address)
{
	uint64_t *slot = blocks_page_at(address);

	return likely(slot) ? __atomic_load_n(slot, __ATOMIC_ACQUIRE) : 0;
}

static inline bool blocks_glibc(uint64_t page)
{
	return likely((page & BLOCKS_SHIFT_MASK) == blocks_fast_shift);
}

static inline uint32_t *blocks_glibc_window(uint64_t page, uintptr_t address)
{
	uint32_t *windows = (uint32_t *)(uintptr_t)(page & ~BLOCKS_SHIFT_MASK);

	return windows + (address >> BLOCKS_GLIBC_SHIFT) % (1u << (WINDOWS_PAGE_SHIFT - BLOCKS_GLIBC_SHIFT));
}

/* blocks_put_fast - as blocks_put, for a block of the host's malloc. */
static inline void blocks_put_fast(uintptr_t address, uint32_t trace)
{
	uint64_t page = blocks_page(address);

	/* In the upper four bits: where in the window the block begins, in sixteenths. */
	if (blocks_glibc(page))
		__atomic_store_n(blocks_glibc_window(page, address),
				 trace | (uint32_t)(address >> (BLOCKS_GLIBC_SHIFT - 4)) << 28, __ATOMIC_RELAXED);
	else
		blocks_put(address, trace);
}

/* blocks_drop - as blocks_take, for a block of the host's malloc that is about to be freed, without a look at its
 * record: no other can begin in its window, so what stands there is its own or nothing. blocks_drop_other - the same
 * in any page, with a look where another can. */
void blocks_drop_other(uintptr_t address);
static inline void blocks_drop(uintptr_t address)
{
	uint64_t page = blocks_page(address);

	if (blocks_glibc(page))
		__atomic_store_n(blocks_glibc_window(page, address), BLOCK_NONE, __ATOMIC_RELAXED);
	else if (page)
		blocks_drop_other(address);
}

#endif
