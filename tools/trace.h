/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - one finding as a retention trace: counts, suspects, the way out. */
#ifndef TOOLS_TRACE_H
#define TOOLS_TRACE_H
#include <stdio.h>
#include "model.h"

/* trace_print - a block of lines about @finding, which is @report's. */
void trace_print(FILE *out, struct report *report, const struct finding *finding);

/* registration_frame - where @registration was made, or NULL: "site unknown". */
const struct frame *registration_frame(const struct registration *registration);

#endif
