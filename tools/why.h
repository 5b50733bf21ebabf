/* SPDX-License-Identifier: Apache-2.0 */
/* why.h - who holds it, and what would free it. */
#ifndef TOOLS_WHY_H
#define TOOLS_WHY_H
#include <stdbool.h>
#include <stdio.h>
#include "model.h"

void why_object(FILE *out, struct report *report, const struct object *object);
void why_registration(FILE *out, struct report *report, const struct registration *registration);

/* why_report - at most @limit objects and as many registrations that match @pattern. Return: whether anything does. */
bool why_report(FILE *out, struct report *report, const char *pattern, size_t limit);

#endif
