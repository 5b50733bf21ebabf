/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

void tally_add(struct tally *tally, const char *text, int64_t bytes, int64_t native_bytes, const void *first)
{
	if (tally->count == tally->room) {
		tally->room = tally->room ? tally->room * 2 : 16;
		tally->rows = take_again(tally->rows, tally->room, sizeof(*tally->rows));
	}
	tally->rows[tally->count] = (struct tally_row){text, 1, bytes, native_bytes, tally->count, first};
	tally->count++;
}

static int compare_texts(const void *a, const void *b)
{
	const struct tally_row *left = a, *right = b;
	int order = strcmp(left->text, right->text);

	return order ? order : left->order < right->order ? -1 : left->order > right->order;
}

static int compare_orders(const void *a, const void *b)
{
	const struct tally_row *left = a, *right = b;

	return left->order < right->order ? -1 : left->order > right->order;
}

void tally_fold(struct tally *tally)
{
	size_t kept = 0;

	if (tally->count == 0)
		return;
	qsort(tally->rows, tally->count, sizeof(*tally->rows), compare_texts);
	for (size_t i = 1; i < tally->count; i++) {
		struct tally_row *last = &tally->rows[kept], *row = &tally->rows[i];

		if (strcmp(last->text, row->text) != 0) {
			tally->rows[++kept] = *row;
			continue;
		}
		last->count++;
		last->bytes = sum_of(last->bytes, row->bytes);
		/* A sum with an unknown part is unknown: better no number than one that is too small. */
		if (row->native_bytes == UNKNOWN || last->native_bytes == UNKNOWN)
			last->native_bytes = UNKNOWN;
		else
			last->native_bytes = sum_of(last->native_bytes, row->native_bytes);
	}
	tally->count = kept + 1;
	qsort(tally->rows, tally->count, sizeof(*tally->rows), compare_orders);
}

void tally_finish(struct tally *tally)
{
	free(tally->rows);
	*tally = (struct tally){0};
}
