/* SPDX-License-Identifier: Apache-2.0 */
#include "entry/early.h"

#define HEAD 16u  /* bytes before a block: its size */

_Alignas(16) char early_room[EARLY_ROOM];
static size_t used;

void *early_alloc(size_t size)
{
	size_t need = ((size + 15) & ~(size_t)15) + HEAD, at;

	if (size > EARLY_ROOM || (at = __atomic_fetch_add(&used, need, __ATOMIC_RELAXED)) + need > EARLY_ROOM)
		return NULL;
	*(size_t *)(early_room + at) = size;
	return early_room + at + HEAD;
}

size_t early_size(const void *block)
{
	return *(const size_t *)((const char *)block - HEAD);
}
