/* SPDX-License-Identifier: Apache-2.0 */
/* leads.h - is there anything to be found beneath some objects? Most processes have a handler or two that hold nothing
 * native: they need not look at all of their memory. In the frozen copy. */
#ifndef REPORT_LEADS_H
#define REPORT_LEADS_H
#include <stdbool.h>
#include <stdint.h>

#include "native/roots.h"
#include "report/analysis.h"

/* leads_word - may @word lead into a block at all? */
bool leads_word(const struct roots *roots, uintptr_t word);

/* leads_cut - the word at @at is no pointer: left out of @roots if it looks like one, which few do. */
void leads_cut(struct roots *roots, uintptr_t at);

/* leads_find - may a word of the objects for which @wanted[nodes] is not 0 lead to a block in which no object of
 * the graph lives, nor the table of one of CPython's containers? Ends at the first that does. */
bool leads_find(const struct analysis *analysis, const struct roots *roots, const uint8_t *wanted);

#endif
