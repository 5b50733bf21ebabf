/* SPDX-License-Identifier: Apache-2.0 */
/* codes.h - code objects met in allocation stacks: names copied on first sight, because a code object may die before the report. */
#ifndef PYTHON_CODES_H
#define PYTHON_CODES_H
#include <stdint.h>
#include "ledger/stacks.h"

/* codes_frame - what a key of TRACE_PYTHON means, as a frame of the ledger (function, file, line). For the frozen copy. */
struct frame codes_frame(uint64_t key);

#endif
