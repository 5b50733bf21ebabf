/* SPDX-License-Identifier: Apache-2.0 */
/* micro - malloc and free as fast as they go: THREADS threads, each with LIVE blocks of 16 to 512 bytes, one of them
 * replaced OPERATIONS times, from call stacks of DEPTH frames. Prints nanoseconds for each replacement. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned long live, operations;
static unsigned depth;

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static __attribute__((noinline)) void *allocate_at(unsigned frames, size_t size)
{
	void *block = frames > 1 ? allocate_at(frames - 1, size) : malloc(size);

	__asm__ volatile("" : : "r"(block) : "memory"); /* no tail call */
	return block;
}

/* The loop runs inside @frames frames, so that a deep stack costs the program itself nothing. */
static __attribute__((noinline)) void replace(unsigned frames, void **blocks, uint64_t *state)
{
	if (frames > 1) {
		replace(frames - 1, blocks, state);
		__asm__ volatile("" : : : "memory");
		return;
	}
	for (unsigned long i = 0; i < operations; i++) {
		uint64_t number = next(state);
		void **block = &blocks[number % live];

		free(*block);
		*block = number & 1 ? malloc(16 + (number >> 40) % 496) : allocate_at(3, 16 + (number >> 40) % 496);
		*(char *)*block = 1;
	}
}

static void *work(void *argument)
{
	uint64_t state = 88172645463325252u + (uintptr_t)argument;
	void **blocks = calloc(live, sizeof(*blocks));

	for (unsigned long i = 0; i < live; i++)
		blocks[i] = malloc(16 + (next(&state) >> 40) % 496);
	replace(depth, blocks, &state);
	return NULL;
}

int main(int count, char **arguments)
{
	struct timespec start, end;
	pthread_t threads[256];
	unsigned wanted = count > 1 ? (unsigned)atoi(arguments[1]) : 1;

	live = count > 2 ? strtoul(arguments[2], NULL, 10) : 100000;
	operations = count > 3 ? strtoul(arguments[3], NULL, 10) : 20000000;
	depth = count > 4 ? (unsigned)atoi(arguments[4]) : 1;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < wanted && i < 256; i++)
		pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1));
	for (unsigned i = 0; i < wanted && i < 256; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("ns %.2f\n", ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
				 (double)operations / wanted);
	return 0;
}
