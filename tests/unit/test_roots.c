/* SPDX-License-Identifier: Apache-2.0 */
/* What is left out of the roots: this library's own, and what is cut afterwards. */
#define _GNU_SOURCE
#include "native/roots.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "base/os.h"
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

static char data[3 * PAGE];

/* Of data the middle, not by pages. */
static void check_own(void)
{
	uintptr_t start = (uintptr_t)data, from = start + PAGE + 24, to = start + 2 * PAGE + 40, own;
	struct roots roots;

	os_own_add((void *)from, to - from);
	own = (uintptr_t)os_map(PAGE);
	CHECK(own && roots_read(&roots, (uintptr_t)__builtin_frame_address(0), NULL) == 0);
	CHECK(covered(&roots, start, from) && covered(&roots, to, start + sizeof(data)));
	CHECK(!covered(&roots, from, from + 8) && !covered(&roots, to - 8, to));
	CHECK(!covered(&roots, own, own + 8));
	roots_finish(&roots);
	os_unmap((void *)own, PAGE);
}

int main(void)
{
	check_own();
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
