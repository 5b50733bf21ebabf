/* SPDX-License-Identifier: Apache-2.0 */
/* input.h - the bytes of a file, or the reason why there are none. */
#ifndef TOOLS_INPUT_H
#define TOOLS_INPUT_H
#include <stddef.h>

/* input_read - all of @file ("-": standard input) into *@bytes, terminated. Files over 1 GiB are refused.
 * Owner: caller, free(). Return: NULL, or the reason (static). */
const char *input_read(const char *file, char **bytes, size_t *size);

#endif
