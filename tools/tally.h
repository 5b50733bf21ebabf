/* SPDX-License-Identifier: Apache-2.0 */
/* tally.h - equal texts counted, in the order of their first appearance. */
#ifndef TOOLS_TALLY_H
#define TOOLS_TALLY_H
#include <stddef.h>
#include <stdint.h>
#include "pool.h"

struct tally_row {
	const char *text;
	int64_t count, bytes, native_bytes;
	size_t order;
	const void *first;      /* what the caller gave with the first */
};

struct tally {
	struct tally_row *rows;
	size_t count, room;
};

/* tally_add - one more @text. Owner: the texts are the caller's until tally_finish(). */
void tally_add(struct tally *tally, const char *text, int64_t bytes, int64_t native_bytes, const void *first);
/* tally_fold - call once after the last tally_add: equal rows become one. */
void tally_fold(struct tally *tally);
void tally_finish(struct tally *tally);

#endif
