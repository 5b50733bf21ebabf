/* SPDX-License-Identifier: Apache-2.0 */
/* What a native stack costs: the same one again at several depths, one with new inner frames, a rule that the cache
 * has, one that it lacks. Thread CPU time, the least of several rounds. */
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "ledger/traces.h"
#include "native/modules.h"
#include "native/rules.h"
#include "native/trace.h"

#define NOINLINE __attribute__((noinline, noclone))
#define STAY __asm__ volatile("" : : : "memory")
#define ROUNDS 7

static unsigned calls;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static NOINLINE uint32_t allocate(uint32_t parent)
{
	struct caller caller = caller_at(CALLER_FRAME());

	return trace_here(parent, &caller, NULL);
}

static NOINLINE void again(void)
{
	for (unsigned i = 0; i < calls; i++)
		allocate(TRACE_ROOT);
}

static NOINLINE void inner(unsigned left)
{
	if (left)
		inner(left - 1);
	else
		allocate(TRACE_ROOT);
	STAY;
}

/* Frames of another size each time, so that no remembered stack is met. */
static NOINLINE void moving(void)
{
	static unsigned size;

	for (unsigned i = 0; i < 64; i++) {
		char *room = __builtin_alloca(16 + size++ * 61 % 4000 * 16);

		__asm__ volatile("" : : "r"(room) : "memory");
		inner(3);
	}
}

static NOINLINE void moving_all(void)
{
	for (unsigned i = 0; i < calls; i += 64)
		moving();
	STAY;
}

static NOINLINE void at_depth(unsigned left, void (*what)(void))
{
	if (left)
		at_depth(left - 1, what);
	else
		what();
	STAY;
}

static double measure(unsigned depth, void (*what)(void))
{
	uint64_t best = UINT64_MAX, start;

	for (int round = 0; round < ROUNDS; round++) {
		start = now();
		at_depth(depth, what);
		start = now() - start;
		best = start < best ? start : best;
	}
	return (double)best / calls;
}

static void rules(void)
{
	const struct module *module = NULL;
	const uint32_t *header = NULL;
	uint64_t start, miss, hit = UINT64_MAX;
	uintptr_t base;
	unsigned sum = 0, count;

	for (uint32_t id = 0; id < modules_count(); id++)
		for (unsigned i = 0; i < modules_get(id)->header_count; i++)
			if (modules_get(id)->headers[i].p_type == PT_GNU_EH_FRAME && (!header ||
			    ((const uint32_t *)(modules_get(id)->bias + modules_get(id)->headers[i].p_vaddr))[2] > header[2])) {
				module = modules_get(id);
				header = (const uint32_t *)(module->bias + module->headers[i].p_vaddr);
			}
	base = (uintptr_t)header;
	count = header[2] < 3000 ? header[2] : 3000;
	start = now();
	for (unsigned i = 0; i < count; i++)
		sum += rules_find(base + (uintptr_t)(intptr_t)(int32_t)header[3 + 2 * i] + 4).kind;
	miss = now() - start;
	for (int round = 0; round < ROUNDS; round++) {
		start = now();
		for (unsigned i = 0; i < 100000; i++)
			sum += rules_get(base + (uintptr_t)(intptr_t)(int32_t)header[3 + 2 * (i % 256)] + 4).kind;
		start = now() - start;
		hit = start < hit ? start : hit;
	}
	printf("rule not cached: %.0f ns; cached: %.1f ns (%u functions, %u)\n", (double)miss / count, (double)hit / 100000,
	       count, sum);
}

int main(void)
{
	static const unsigned depths[] = { 5, 20, 64, 200, 1000 };

	modules_init();
	trace_init(64);
	calls = 200000;
	for (unsigned i = 0; i < sizeof(depths) / sizeof(depths[0]); i++)
		printf("the same stack again, %4u frames deep: %5.1f ns\n", depths[i], measure(depths[i], again));
	calls = 64 * 1000;
	for (unsigned i = 0; i < sizeof(depths) / sizeof(depths[0]); i++)
		printf("six inner frames new, %4u frames deep: %5.1f ns\n", depths[i], measure(depths[i], moving_all));
	rules();
	return 0;
}
