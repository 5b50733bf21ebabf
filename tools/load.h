/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - a report's file (or bytes) to the model, or one line that says why not. */
#ifndef TOOLS_LOAD_H
#define TOOLS_LOAD_H
#include <stddef.h>
#include "model.h"

#define REASON_SIZE 320

/* report_load - read and validate @file; "-" is standard input.
 * Owner: caller, report_free(). Return: the report, or NULL after one line "forkheld: FILE: reason" on stderr. */
struct report *report_load(const char *file);

/* report_parse - the same from memory. @name is what messages call it (kept by the caller); @bytes[@size] must be there
 * and zero.
 * Return: the report, or NULL with @reason set. */
struct report *report_parse(const char *name, const char *bytes, size_t size, char reason[REASON_SIZE]);

/* report_free - takes NULL. */
void report_free(struct report *report);

#endif
