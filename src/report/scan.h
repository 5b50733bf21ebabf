/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - all memory outside of what is asked about, once: blocks, and what is nobody's block. In the frozen copy. */
#ifndef REPORT_SCAN_H
#define REPORT_SCAN_H
#include "native/roots.h"
#include "retention/mark.h"

/* scan_memory - mark_source with @label (MARK_OUTSIDE: mark_outside) for each block that @wanted says, and for all of
 * @roots that is no block. Free memory of an allocator is left out: what used to lie there still lies there. */
void scan_memory(struct mark *mark, const struct roots *roots, uint32_t label,
		 bool (*wanted)(void *context, uint32_t block), void *context);

/* scan_visit - the same memory, for others to look at: @visit a piece of it; @allocator as in mark_source. It
 * returns false once it has seen enough. */
void scan_visit(const struct mark *mark, const struct roots *roots, bool (*wanted)(void *context, uint32_t block),
		bool (*visit)(void *context, uintptr_t start, uintptr_t end, bool allocator), void *context);

#endif
