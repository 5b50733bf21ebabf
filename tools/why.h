/* SPDX-License-Identifier: Apache-2.0 */
/* why.h - who holds it, and what would free it. */
#ifndef TOOLS_WHY_H
#define TOOLS_WHY_H
#include <stdbool.h>
#include <stdio.h>
#include "model.h"

void why_object(FILE *out, struct report *report, const struct object *object);
void why_registration(FILE *out, struct report *report, const struct registration *registration);

/* why_glob - does the glob @pattern say @text, which may be NULL? why_glob_path - a file is also named by its last
 * parts: "export/__init__.py:207". */
bool why_glob(const char *pattern, const char *text);
bool why_glob_path(const char *pattern, const char *path);

/* why_report - at most @limit objects, as many registrations and as many blocks that match @pattern. Return: whether
 * anything does. */
bool why_report(FILE *out, struct report *report, const char *pattern, size_t limit);

#endif
