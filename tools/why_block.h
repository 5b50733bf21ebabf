/* SPDX-License-Identifier: Apache-2.0 */
/* why_block.h - what leads to a block of the heap: the slot of a fork handler, and the blocks on the way. */
#ifndef TOOLS_WHY_BLOCK_H
#define TOOLS_WHY_BLOCK_H
#include <stdbool.h>
#include <stdio.h>
#include "model.h"

/* why_block_matches - by the slot's symbol or module, or by what allocated it. */
bool why_block_matches(struct report *report, const char *pattern, const struct block *block);

/* why_blocks - at most @limit of the blocks with a mark in @marks[block_count], each slot before the first of its
 * blocks. Return: how many of them are not printed. */
size_t why_blocks(FILE *out, struct report *report, const bool *marks, size_t limit);

#endif
