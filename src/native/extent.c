/* SPDX-License-Identifier: Apache-2.0 */
#include "native/extent.h"
#include "native/memory.h"

#define NEAR (64u << 20)  /* a thread's own stack may be that much deeper now than when last seen */
#define REACH (16u << 20) /* of other stacks, beyond what is known */

#define PAGE_OF(address) ((address) & ~(uintptr_t)(MEMORY_PAGE - 1))

/* readable_until - the end of the pages readable from @low on without a gap, at most @high. */
static uintptr_t readable_until(uintptr_t low, uintptr_t high)
{
	while (low < high && memory_readable(low))
		low += MEMORY_PAGE;
	return low;
}

bool extent_change(struct extent *extent, uintptr_t sp)
{
	uintptr_t page = PAGE_OF(sp), end = page;

	if (extent_at_home(extent, sp)) {
		extent->low = extent->home_low;
		extent->high = extent->home_high;
		return true;
	}
	/* Deeper than ever before, if no gap is between: below a stack there is a page that cannot be read. */
	if (sp < extent->home_low && extent->home_low - sp < NEAR) {
		end = readable_until(page, PAGE_OF(extent->home_low));
		if (end >= PAGE_OF(extent->home_low)) {
			extent->low = extent->home_low = page;
			extent->high = extent->home_high;
			return true;
		}
	} else if (memory_readable(page)) {
		end = page + MEMORY_PAGE;
	}
	extent->low = page;
	extent->high = end;
	return end > page;
}

bool extent_reach(struct extent *extent, uintptr_t address)
{
	uintptr_t wanted = PAGE_OF(address) + MEMORY_PAGE;

	/* A thread's own stack has an end that is known. */
	if (extent->high == extent->home_high || address - extent->high >= REACH)
		return false;
	extent->high = readable_until(extent->high, wanted);
	return extent->high >= wanted;
}
