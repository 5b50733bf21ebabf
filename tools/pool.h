/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - memory that lives as long as one report: taken piece by piece, given back at once. */
#ifndef TOOLS_POOL_H
#define TOOLS_POOL_H
#include <stddef.h>

struct pool {
	struct pool_chunk *chunks;
};

/* pool_take - @count items of @size bytes, zeroed, aligned for anything. Never NULL, also for 0 items: a tool that runs
 * out of memory says so and ends with status 3. Owner: the pool. */
void *pool_take(struct pool *pool, size_t count, size_t size);

/* pool_text - a copy of @length bytes of @text, terminated. Owner: the pool. */
char *pool_text(struct pool *pool, const char *text, size_t length);

/* pool_print - as asprintf. Owner: the pool. */
char *pool_print(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* pool_finish - give everything back; the pool is empty and may be used again. */
void pool_finish(struct pool *pool);

/* take, take_again - calloc and realloc for what is no report's; they end the program as pool_take does.
 * Owner: caller, free(). */
void *take(size_t count, size_t size);
void *take_again(void *memory, size_t count, size_t size);

#endif
