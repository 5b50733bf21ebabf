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
	const struct roots *roots;
	const struct root_span *span;
	bool (*visit)(void *context, uintptr_t start, uintptr_t end, bool allocator);
	void *context;
	bool enough;
};

static void visit(void *scan_pointer, uintptr_t start, uintptr_t end)
{
	struct scan *scan = scan_pointer;
	if (!scan->enough)
		scan->enough = !scan->visit(scan->context, start, end, scan->span->kind == ROOT_LIBC);
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

void scan_visit(const struct mark *mark, const struct roots *roots, bool (*wanted)(void *context, uint32_t block),
		bool (*piece)(void *context, uintptr_t start, uintptr_t end, bool allocator), void *context)
{
	struct scan scan = {.roots = roots, .visit = piece, .context = context};
	uint32_t block = 0;
	for (uint32_t i = 0; i < roots->count && !scan.enough; i++) {
		uintptr_t at = roots->spans[i].start, end = roots->spans[i].end;
		bool low = false;
		scan.span = &roots->spans[i];
		while (block < mark->count && mark_end(mark, block) <= at)
			block++;
		for (; block < mark->count && mark->block[block].start < end && !scan.enough; block++) {
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

struct marking {
	struct mark *mark;
	uint32_t label;
	bool (*wanted)(void *context, uint32_t block);
	void *context;
};

static bool marking_wants(void *marking_pointer, uint32_t block)
{
	const struct marking *marking = marking_pointer;
	return marking->wanted(marking->context, block);
}

static bool mark_piece(void *marking_pointer, uintptr_t start, uintptr_t end, bool allocator)
{
	const struct marking *marking = marking_pointer;
	if (marking->label == MARK_OUTSIDE)
		mark_outside(marking->mark, start, end, allocator);
	else
		mark_source(marking->mark, start, end, marking->label, allocator);
	return !mark_done(marking->mark);
}

void scan_memory(struct mark *mark, const struct roots *roots, uint32_t label,
		 bool (*wanted)(void *context, uint32_t block), void *context)
{
	struct marking marking = {mark, label, wanted, context};
	if (label == MARK_OUTSIDE)
		mark_narrow(mark);
	if (!mark_done(mark))
		scan_visit(mark, roots, marking_wants, mark_piece, &marking);
}
