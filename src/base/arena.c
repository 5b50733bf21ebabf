/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include <stdint.h>
#include <string.h>
#include "base/os.h"

#define CHUNK ((size_t)256 << 10)
#define PAGE ((size_t)4096)

void *arena_alloc(struct arena *arena, size_t size)
{
	char *memory;
	size_t chunk;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + 15) & ~(size_t)15;
	if ((size_t)(arena->end - arena->next) >= size) {
		memory = arena->next;
		arena->next += size;
		return memory;
	}
	/* A large piece gets a mapping of its own, so that the rest of the current chunk stays in use. */
	chunk = size > CHUNK / 4 ? (size + PAGE - 1) & ~(PAGE - 1) : CHUNK;
	memory = os_map(chunk);
	if (!memory)
		return NULL;
	arena->mapped += chunk;
	if (chunk == CHUNK) {
		arena->next = memory + size;
		arena->end = memory + chunk;
	}
	return memory;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena_alloc(arena, length + 1);

	if (copy)
		memcpy(copy, text, length); /* zeroed memory: the NUL is there */
	return copy;
}
