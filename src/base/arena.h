/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory of ours in the host process: bump allocation from mmap, never from the host's heap. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H
#include <stddef.h>

struct arena {
	char *next, *end;
	size_t mapped;  /* bytes taken from the kernel so far */
};

/* arena_alloc - @size bytes, zeroed, aligned to 16. Owner: the arena; there is no free.
 * Thread: the caller serialises. Signal: not safe. Fork: memory is private, safe. Return: NULL when mmap fails. */
void *arena_alloc(struct arena *arena, size_t size);

/* arena_strndup - a NUL-terminated copy of @length bytes at @text. As arena_alloc. */
char *arena_strndup(struct arena *arena, const char *text, size_t length);

#endif
