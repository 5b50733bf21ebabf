/* SPDX-License-Identifier: Apache-2.0 */
/* A module for a running Python to load: what datastack_rests says. */
#define _GNU_SOURCE
#include "python/datastack.h"

#include "inside.h"
#include "python/capi.h"

struct ranges {
	uintptr_t *words;
	long count, room;
};

static void put(void *ranges_pointer, uintptr_t start, uintptr_t end)
{
	struct ranges *ranges = ranges_pointer;

	if (ranges->count < ranges->room) {
		ranges->words[2 * ranges->count] = start;
		ranges->words[2 * ranges->count + 1] = end;
	}
	ranges->count++;
}

/* Return: how many ranges there are, at most @room of them in @words; -1 without a CPython. */
__attribute__((visibility("default"))) long test_rests(uintptr_t *words, long room);
long test_rests(uintptr_t *words, long room)
{
	struct ranges ranges = {words, 0, room};

	if (!capi_load(inside_symbol))
		return -1;
	datastack_rests(put, &ranges);
	return ranges.count;
}
