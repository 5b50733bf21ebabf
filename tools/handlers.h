/* SPDX-License-Identifier: Apache-2.0 */
/* handlers.h - the registration ledger as a table. */
#ifndef TOOLS_HANDLERS_H
#define TOOLS_HANDLERS_H
#include <stdio.h>
#include "model.h"

void handlers_report(FILE *out, struct report *report);

#endif
