/* SPDX-License-Identifier: Apache-2.0 */
/* clean.h - text of a stranger made fit for a terminal and for line-by-line reading. */
#ifndef TOOLS_CLEAN_H
#define TOOLS_CLEAN_H
#include <stdbool.h>
#include <stddef.h>
#include "pool.h"

/* clean_text - @text with every control character (C0, DEL, C1), line or paragraph separator and text-direction
 * override written as an escape (\n, \x1b, \u202e), and each byte that is not UTF-8 as \xHH. A backslash stays.
 * Return: @text itself where nothing had to change, else a copy of the pool's. */
const char *clean_text(struct pool *pool, const char *text);

/* clean_line - the same into a buffer of @size bytes, cut (with "...") where it does not fit. Return: @buffer. */
char *clean_line(char *buffer, size_t size, const char *text);

#endif
