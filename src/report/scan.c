/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free memory of a heap lies in pages in which blocks have begun, or is brk's. A page in which blocks have begun
 * may also have gone back to the kernel and have come as something else: it is taken for that where no block lives
 * anywhere near. Where libc has blocks of its own there that nothing records, free memory cannot be told from them: all
 * of it counts.
 */
#include "report/scan.h"

#include "base/libc.h"
#include "ledger/blocks.h"
#include "ledger/blocks_fast.h"
#include "native/memory.h"

#define NEAR ((uintptr_t)1 << 20)  /* an arena of CPython's */

struct scan {
	struct mark *mark;
	const struct roots *roots;
	const struct root_span *span;
	uint32_t label;
};

static void visit(void *scan_pointer, uintptr_t start, uintptr_t end)
{
	const struct scan *scan = scan_pointer;
	bool allocator = scan->span->kind == ROOT_LIBC;
	if (scan->label == MARK_OUTSIDE)
		mark_outside(scan->mark, start, end, allocator);
	else
		mark_source(scan->mark, start, end, scan->label, allocator);
}

static void visit_range(struct scan *scan, uintptr_t start, uintptr_t end)
{
	if (start < end)
		roots_visit(scan->roots, scan->span, start, end, visit, scan);
}

/* Between two blocks (or a block and an end of the span: @low, @high 0). */
static void visit_gap(struct scan *scan, uintptr_t start, uintptr_t end, bool low, bool high)
{
	const uintptr_t mask = ~(uintptr_t)(MEMORY_PAGE - 1);
	uintptr_t run = start, next;
	if (LIBC_ALLOCATES_UNSEEN) {
		visit_range(scan, start, end);
		return;
	}
	if (scan->span->kind == ROOT_HEAP)
		return;
	for (uintptr_t at = start; at < end; at = next) {
		next = (at & mask) + MEMORY_PAGE < end ? (at & mask) + MEMORY_PAGE : end;
		bool near = (low && at - start < NEAR) || (high && end - at < NEAR);
		if (!blocks_page(at) || !near)
			continue;
		visit_range(scan, run, at);
		run = next;
	}
	visit_range(scan, run, end);
}

void scan_memory(struct mark *mark, const struct roots *roots, uint32_t label,
		 bool (*wanted)(void *context, uint32_t block), void *context)
{
	struct scan scan = {.mark = mark, .roots = roots, .label = label};
	uint32_t block = 0;
	if (label == MARK_OUTSIDE)
		mark_narrow(mark);
	for (uint32_t i = 0; i < roots->count && !mark_done(mark); i++) {
		uintptr_t at = roots->spans[i].start, end = roots->spans[i].end;
		bool low = false;
		scan.span = &roots->spans[i];
		while (block < mark->count && mark_end(mark, block) <= at)
			block++;
		for (; block < mark->count && mark->block[block].start < end && !mark_done(mark); block++) {
			uintptr_t from = mark->block[block].start > at ? mark->block[block].start : at;
			uintptr_t to = mark_end(mark, block);
			visit_gap(&scan, at, from, low, true);
			if (wanted(context, block))
				visit_range(&scan, from, to < end ? to : end);
			at = to < end ? to : end;
			low = true;
			if (to > end)
				break;  /* the next span has the rest */
		}
		visit_gap(&scan, at, end, low, false);
	}
}
