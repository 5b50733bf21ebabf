/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/sort.h"

#include <string.h>

#define DIGIT 11  /* bits: three passes for a number */
#define DIGITS (1u << DIGIT)

static void sort_few(uint32_t *nodes, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		uint32_t node = nodes[i], place = i;

		for (; place && nodes[place - 1] > node; place--)
			nodes[place] = nodes[place - 1];
		nodes[place] = node;
	}
}

static void sort_digit(const uint32_t *from, uint32_t *to, uint32_t count, unsigned shift)
{
	uint32_t places[DIGITS] = { 0 }, sum = 0;

	for (uint32_t i = 0; i < count; i++)
		places[from[i] >> shift & (DIGITS - 1)]++;
	for (uint32_t digit = 0; digit < DIGITS; digit++) {
		uint32_t here = places[digit];

		places[digit] = sum;
		sum += here;
	}
	for (uint32_t i = 0; i < count; i++)
		to[places[from[i] >> shift & (DIGITS - 1)]++] = from[i];
}

void sort_nodes(uint32_t *nodes, uint32_t count, uint32_t *spare)
{
	if (count <= SORT_FEW) {
		sort_few(nodes, count);
		return;
	}
	sort_digit(nodes, spare, count, 0);
	sort_digit(spare, nodes, count, DIGIT);
	sort_digit(nodes, spare, count, 2 * DIGIT);
	memcpy(nodes, spare, count * sizeof(*nodes));
}
