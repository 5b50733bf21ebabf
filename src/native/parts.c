/* SPDX-License-Identifier: Apache-2.0 */
#include "native/parts.h"
#include <string.h>
#include "native/memory.h"

#define ENOUGH 3u /* jumps: bytes that only look like one rarely agree on where they lead */
#define SEEN 64u

struct candidate {
	uintptr_t start;
	unsigned jumps;
};

/* jump_at - where the instruction at @code would jump to, if it is one that reaches far; else 0. */
#if defined(__x86_64__)
#define STEP 1u
#define LONGEST 6u
static uintptr_t jump_at(const uint8_t *code)
{
	int32_t distance;
	unsigned size = code[0] == 0xe9 ? 5 : code[0] == 0x0f && (code[1] & 0xf0) == 0x80 ? 6 : 0;

	if (!size)
		return 0;
	memcpy(&distance, code + size - sizeof(distance), sizeof(distance));
	return (uintptr_t)code + size + (uintptr_t)(intptr_t)distance;
}
#else
#define STEP 4u
#define LONGEST 4u
static uintptr_t jump_at(const uint8_t *code)
{
	uint32_t word;

	memcpy(&word, code, sizeof(word));
	if (word >> 26 == 0x05) /* b */
		return (uintptr_t)code + (uintptr_t)((int64_t)((uint64_t)word << 38) >> 36);
	if (word >> 24 == 0x54 || (word >> 25 & 0x3f) == 0x1a) /* b.cond, cbz, cbnz */
		return (uintptr_t)code + (uintptr_t)((int64_t)((uint64_t)(word >> 5) << 45) >> 43);
	return 0;
}
#endif

static void count(struct candidate *seen, unsigned *known, uintptr_t start)
{
	unsigned i = 0;

	while (i < *known && seen[i].start != start)
		i++;
	if (i == SEEN)
		return;
	if (i == *known)
		seen[(*known)++] = (struct candidate){ start, 0 };
	seen[i].jumps++;
}

bool parts_find(const struct cfi_image *image, uintptr_t function, struct parts *parts)
{
	struct candidate seen[SEEN];
	uintptr_t start, size, target, other, other_size;
	unsigned known = 0;
	struct rule rule;

	if (!cfi_rule(image, function, &rule, &start, &size) || start != function)
		return false;
	parts->start[0] = function;
	parts->count = 1;
	if (size < LONGEST || !memory_range_readable(function, size < 8 ? 8 : size))
		return true;
	for (uintptr_t at = function; at <= function + size - LONGEST; at += STEP) {
		target = jump_at((const uint8_t *)at);
		if (target < image->start || target >= image->end || target - function < size)
			continue;
		if (cfi_rule(image, target, &rule, &other, &other_size) && other != function &&
		    !cfi_entered(image, other))
			count(seen, &known, other);
	}
	for (unsigned i = 0; i < known && parts->count < PARTS_MOST; i++)
		if (seen[i].jumps >= ENOUGH)
			parts->start[parts->count++] = seen[i].start;
	return true;
}
