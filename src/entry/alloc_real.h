/* SPDX-License-Identifier: Apache-2.0 */
/* alloc_real.h - the allocator that the host's calls are forwarded to. */
#ifndef ENTRY_ALLOC_REAL_H
#define ENTRY_ALLOC_REAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/address.h"
#include "base/os.h"

struct alloc_real {
	_Alignas(64) void *(*malloc)(size_t size);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *block, size_t size);
	void *(*memalign)(size_t alignment, size_t size);
	void *(*aligned_alloc)(size_t alignment, size_t size);
	int (*posix_memalign)(void **block, size_t alignment, size_t size);
	void *(*valloc)(size_t size);
	void *(*pvalloc)(size_t size);
	size_t (*malloc_usable_size)(void *block);
	void (*free)(void *block);
	bool leaves_links;  /* it is glibc's, and blocks are recorded */
	bool clears;        /* nor does anything else stay of a block's earlier life */
};
extern struct alloc_real alloc_real __attribute__((visibility("hidden")));

/* alloc_forget_links - a block that glibc gives begins with the links of the free list that it comes from, addresses of
 * other blocks: if its owner never writes there, it will seem to hold those. So they go; what is no address stays
 * (MALLOC_PERTURB_). @block may be NULL. */
static inline void alloc_forget_links(void *block)
{
	uintptr_t *link = block;

	if (!alloc_real.leaves_links || unlikely(!block))
		return;
	for (unsigned i = 0; i < 2; i++)
		if (!(link[i] >> ADDRESS_BITS))
			link[i] = 0;
}

#endif
