/* SPDX-License-Identifier: Apache-2.0 */
#include "report/numbers.h"

#include <stdlib.h>

bool numbers_add(struct numbers *numbers, uint32_t number)
{
	if (numbers->count && numbers->items[numbers->count - 1] == number)
		return true;
	if (numbers->count == numbers->room) {
		uint32_t room = numbers->room ? 2 * numbers->room : 8;
		void *larger = realloc(numbers->items, room * sizeof *numbers->items);
		if (!larger)
			return false;
		numbers->items = larger;
		numbers->room = room;
	}
	numbers->items[numbers->count++] = number;
	return true;
}

static int compare_numbers(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return (a > b) - (a < b);
}

void numbers_sort(struct numbers *numbers)
{
	uint32_t kept = 0;
	if (numbers->count)
		qsort(numbers->items, numbers->count, sizeof *numbers->items, compare_numbers);
	for (uint32_t i = 0; i < numbers->count; i++)
		if (kept == 0 || numbers->items[kept - 1] != numbers->items[i])
			numbers->items[kept++] = numbers->items[i];
	numbers->count = kept;
}

bool numbers_have(const struct numbers *numbers, uint32_t number)
{
	return numbers->count && bsearch(&number, numbers->items, numbers->count, sizeof number, compare_numbers);
}

void numbers_free(struct numbers *numbers)
{
	free(numbers->items);
	*numbers = (struct numbers){0};
}

static int compare_cuts(const void *left, const void *right)
{
	const struct cut_edge *a = left, *b = right;
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return (a->to > b->to) - (a->to < b->to);
}

void cuts_sort(struct cut_edge *cuts, uint32_t count)
{
	if (count)
		qsort(cuts, count, sizeof *cuts, compare_cuts);
}
