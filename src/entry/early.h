/* SPDX-License-Identifier: Apache-2.0 */
/* early.h - room for what dlsym itself allocates (glibc before 2.34) while malloc's own look-up waits for it: a few
 * blocks, which live here for ever. Thread, signal: safe. */
#ifndef ENTRY_EARLY_H
#define ENTRY_EARLY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EARLY_ROOM 16384u

extern char early_room[EARLY_ROOM] __attribute__((visibility("hidden")));

static inline bool early_owns(const void *block)
{
	return (uintptr_t)block - (uintptr_t)early_room < EARLY_ROOM;
}

/* early_alloc - @size bytes, zeroed, aligned to 16; NULL where the room is full. early_size - of one of them. */
void *early_alloc(size_t size);
size_t early_size(const void *block);

#endif
