/* SPDX-License-Identifier: Apache-2.0 */
/* calls.h - a stack as people read it: native frames with their names and lines, inlined functions apart. */
#ifndef TOOLS_CALLS_H
#define TOOLS_CALLS_H
#include "model.h"

struct call {
	const struct frame *frame;
	const char *function;           /* never NULL: "?" */
	struct place place;             /* no file: unknown */
	bool inlined;                   /* into the next call */
	bool own;                       /* the reader's own code */
};

struct calls {
	const struct call *list;        /* innermost first */
	size_t count;
};

/* calls_of - the calls of @stack, NULL: none. Names are looked for where symbols_start (symbolize.h) allowed it.
 * Owner: the report's pool. */
struct calls calls_of(struct report *report, const struct stack *stack);

/* calls_suspect - the call that people mean by "allocated here": the innermost Python one, else the innermost
 * native one outside of the C and C++ libraries. NULL: nothing is known. */
const struct call *calls_suspect(struct calls calls);

/* calls_place - "FILE:LINE", else "MODULE+0xOFFSET", else "?". Owner: the report's pool. */
const char *calls_place(struct report *report, const struct call *call);

/* calls_line - function and place, side by side; the reader's own code stands out. Owner: the report's pool. */
const char *calls_line(struct report *report, const struct call *call);

#endif
