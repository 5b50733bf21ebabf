/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks.h - how long each native fork handler runs, without touching it: libc runs the handlers in the order of their
 * registration (prepare in reverse), so behind each of the host's registrations goes one of our own, a mark that looks
 * at the clock. What lies between two marks that follow each other is one host registration's handler.
 *
 * Mark 0 is our first registration (entry/atfork.c); mark N stands behind the N-th timed one. What has no mark of its
 * own is measured with the next that has one, so that one's times are not told: a registration inside a running
 * handler (some libcs hang there, one more call of ours must not be the reason), two at once, one that we did not see.
 * No marks before glibc 2.36, which is the first whose walk over the handlers bears their removal.
 */
#ifndef ENTRY_MARKS_H
#define ENTRY_MARKS_H
#include <stdbool.h>
#include <stdint.h>
#include "ledger/registrations.h"

typedef void handler_fn(void);

/* One registration of the host on its way through our wrapper: marks_begin before libc's function is called, marks_end
 * after. @entry: its ledger entry, or NULL; @done: libc has it; @put: registers three handlers with libc, 0 if that
 * went well. */
struct marks_turn {
	uint32_t number;
	bool alone;
};
struct marks_turn marks_begin(void);
void marks_end(struct marks_turn turn, const struct registration *entry, bool done,
	       int (*put)(handler_fn *prepare, handler_fn *parent, handler_fn *child));

/* marks_pass - mark @mark runs in @phase: called by the marks themselves and, for mark 0, by our first handlers: at the
 * start of prepare, at the end of the others. Of nested forks in one thread only the outermost is measured.
 * Fork: safe, in parent and child. Signal: safe. */
void marks_pass(uint32_t mark, enum phase phase);

/* marks_child - in the child of a fork: registrations that other threads were making will not come back. */
void marks_child(void);

#endif
