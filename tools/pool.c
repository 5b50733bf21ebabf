/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE (64u * 1024)

struct pool_chunk {
	struct pool_chunk *next;
	size_t used, size;
	alignas(max_align_t) char memory[];
};

static _Noreturn void out_of_memory(void)
{
	fputs("forkheld: out of memory\n", stderr);
	exit(3);
}

void *take(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size ? size : 1);

	if (!memory)
		out_of_memory();
	return memory;
}

void *take_again(void *memory, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory();
	memory = realloc(memory, bytes ? bytes : 1);
	if (!memory)
		out_of_memory();
	return memory;
}

static struct pool_chunk *chunk_new(struct pool *pool, size_t room)
{
	size_t size = room > CHUNK_SIZE ? room : CHUNK_SIZE;
	struct pool_chunk *chunk = take(1, sizeof(*chunk) + size);

	chunk->size = size;
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	return chunk;
}

void *pool_take(struct pool *pool, size_t count, size_t size)
{
	struct pool_chunk *chunk = pool->chunks;
	size_t bytes;
	void *memory;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
		out_of_memory();
	bytes = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!chunk || chunk->size - chunk->used < bytes)
		chunk = chunk_new(pool, bytes);
	memory = chunk->memory + chunk->used;
	chunk->used += bytes;
	return memory;
}

char *pool_text(struct pool *pool, const char *text, size_t length)
{
	char *copy = pool_take(pool, length + 1, 1);

	memcpy(copy, text, length);
	return copy;
}

char *pool_print(struct pool *pool, const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		out_of_memory();
	text = pool_take(pool, (size_t)length + 1, 1);
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}

void pool_finish(struct pool *pool)
{
	struct pool_chunk *next;

	for (struct pool_chunk *chunk = pool->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	pool->chunks = NULL;
}
