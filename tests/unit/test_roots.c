/* SPDX-License-Identifier: Apache-2.0 */
/* What is left out of the roots afterwards. */
#define _GNU_SOURCE
#include "native/roots.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "check.h"

#define PAGE 4096u

static bool covered(const struct roots *roots, uintptr_t start, uintptr_t end)
{
	uint32_t from = 0;

	return roots_readable(roots, start, end, &from);
}

static void check_order(const struct roots *roots)
{
	for (uint32_t i = 0; i + 1 < roots->count; i++)
		CHECK(roots->spans[i].start <= roots->spans[i].end && roots->spans[i].end <= roots->spans[i + 1].start);
}

int main(void)
{
	char *memory = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t start = (uintptr_t)memory;
	struct roots roots;

	CHECK(memory != MAP_FAILED && roots_read(&roots, (uintptr_t)__builtin_frame_address(0), NULL) == 0);
	CHECK(covered(&roots, start, start + 8 * PAGE));
	uint32_t count = roots.count;
	roots_cut(&roots, start + 2 * PAGE, start + 3 * PAGE); /* out of the middle */
	check_order(&roots);
	CHECK(roots.count == count + 1 && covered(&roots, start, start + 2 * PAGE));
	CHECK(!covered(&roots, start + 2 * PAGE, start + 2 * PAGE + 8));
	CHECK(!covered(&roots, start + 3 * PAGE - 8, start + 3 * PAGE));
	CHECK(covered(&roots, start + 3 * PAGE, start + 8 * PAGE));
	roots_cut(&roots, start + PAGE, start + 4 * PAGE); /* an end, and a beginning */
	check_order(&roots);
	CHECK(roots.count == count + 1 && covered(&roots, start, start + PAGE));
	CHECK(!covered(&roots, start + PAGE, start + PAGE + 8));
	CHECK(!covered(&roots, start + 4 * PAGE - 8, start + 4 * PAGE));
	CHECK(covered(&roots, start + 4 * PAGE, start + 8 * PAGE));
	CHECK(!roots_find(&roots, start + 2 * PAGE) && roots_find(&roots, start + 5 * PAGE));
	roots_cut(&roots, start + 4 * PAGE, start + 8 * PAGE);
	check_order(&roots);
	CHECK(!covered(&roots, start + 4 * PAGE, start + 4 * PAGE + 8) && covered(&roots, start, start + PAGE));
	roots_finish(&roots);
	return 0;
}
