/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.h - growing lists of node and registration numbers, and the orders that the passes ask for. */
#ifndef REPORT_NUMBERS_H
#define REPORT_NUMBERS_H
#include <stdbool.h>
#include <stdint.h>

#include "retention/reach.h"

struct numbers {
	uint32_t *items;
	uint32_t count, room;
};

/* numbers_add - append, unless it equals the last one. Return: false when there is no memory. */
bool numbers_add(struct numbers *numbers, uint32_t number);
/* numbers_sort - ascending, each once. */
void numbers_sort(struct numbers *numbers);
/* numbers_have - is @number in the sorted list? */
bool numbers_have(const struct numbers *numbers, uint32_t number);
void numbers_free(struct numbers *numbers);

/* cuts_sort - by from, then to, as retention/reach.h wants them. */
void cuts_sort(struct cut_edge *cuts, uint32_t count);

#endif
