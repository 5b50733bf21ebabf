/* SPDX-License-Identifier: Apache-2.0 */
/* diff.h - growth by fingerprint. */
#ifndef TOOLS_DIFF_H
#define TOOLS_DIFF_H
#include <stdbool.h>
#include <stdio.h>
#include "model.h"

/* diff_reports - one line for each fingerprint whose count or bytes differ, one SUMMARY line.
 * Return: did anything grow? */
bool diff_reports(FILE *out, struct report *old, struct report *new);

#endif
