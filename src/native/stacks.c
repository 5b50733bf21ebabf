/* SPDX-License-Identifier: Apache-2.0 */
#include "native/stacks.h"
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include "base/os.h"
#include "native/memory.h"
#include "native/threads.h"

#define WORD sizeof(uintptr_t)
#define RECORD 4096u                    /* libc's record of a thread is smaller */
#define ABOVE ((uintptr_t)16384)        /* of a stack, at most, lies above the thread pointer */
#define INNER_LEAST ((uintptr_t)2048)
#define VECTOR 256u
#define PAGE_MASK (~(uintptr_t)(MEMORY_PAGE - 1))
#define STACK_MOST ((uintptr_t)1 << 40)

/* On x86-64 the record begins at the thread pointer, elsewhere it ends there. */
#ifdef __x86_64__
#define RECORD_BEFORE 0u
#else
#define RECORD_BEFORE RECORD
#endif

#define RECORD_WORDS 4u

/* The words of a record that say it. glibc: where the stack begins, its size, the size of its guard. musl: begin and
 * size of the mapping, where the frames begin, how much they may take; if the program gave the stack the first is 0. */
static bool range_of(const uintptr_t *words, uintptr_t tp, uintptr_t sp, struct stack_rest *stack)
{
	uintptr_t size = words[1], start = words[0] ? words[0] : words[2] - words[3], end = start + size;

	if (size > STACK_MOST || start > sp || sp >= end || end <= tp || end - tp > ABOVE)
		return false;
	if (words[2] >= size && (words[2] <= sp || words[2] > end))
		return false;
	if (!words[0] && (words[2] < size || words[3] > size || size - words[3] > ABOVE))
		return false;
	*stack = (struct stack_rest){ start, end };
	return true;
}

/* own_stack - the stack that libc's record at @tp says, if @sp lies on it. */
static bool own_stack(uintptr_t tp, uintptr_t sp, struct stack_rest *stack)
{
	uintptr_t at = tp - RECORD_BEFORE;

	if (!tp || tp % WORD != 0)
		return false;
	for (uintptr_t end = tp + RECORD, checked = 0; at < end; at += WORD) {
		uintptr_t last = at + RECORD_WORDS * WORD - 1;

		if (last / MEMORY_PAGE != checked) {
			if (!memory_readable(at & PAGE_MASK) || !memory_readable(last & ~(WORD - 1)))
				continue;
			checked = last / MEMORY_PAGE;
		}
		if (range_of((const uintptr_t *)at, tp, sp, stack))
			return true;
	}
	return false;
}

/* Words like those that sigaltstack and makecontext are told a stack by (where it begins, flags, its size), one within
 * this one that has @sp on it? */
static bool tells_of_inner(uintptr_t from, uintptr_t to, uintptr_t low, uintptr_t sp, uintptr_t high, uintptr_t least)
{
	for (uintptr_t at = from; at + 3 * WORD <= to; at += WORD) {
		const uintptr_t *words = (const uintptr_t *)at;

		if (words[0] >= low && words[0] <= sp && words[2] > sp - words[0] && words[2] < high - words[0] &&
		    words[2] >= least && (!least || words[2] % 16 == 0))
			return true;
	}
	return false;
}

/* The same in what has ever been written to below @sp. There are dead words as well: not everything is believed. */
static bool told_below(uintptr_t low, uintptr_t sp, uintptr_t high)
{
	unsigned char there[VECTOR];

	if (getauxval(AT_PAGESZ) != MEMORY_PAGE)
		return false;
	for (uintptr_t page = low & PAGE_MASK, stop; page < sp; page = stop) {
		stop = sp - page < VECTOR * (uintptr_t)MEMORY_PAGE ? (sp | ~PAGE_MASK) + 1 : page + VECTOR * MEMORY_PAGE;
		if (os_call(SYS_mincore, (long)page, (long)(stop - page), (long)there, 0, 0, 0) < 0)
			return false;
		for (uintptr_t at = page; at < stop && at < sp; at += MEMORY_PAGE) {
			uintptr_t end = at + MEMORY_PAGE < sp ? at + MEMORY_PAGE : sp & ~(WORD - 1);

			if (there[(at - page) / MEMORY_PAGE] & 1 && memory_readable(at) &&
			    tells_of_inner(at < low ? low : at, end, low, sp, high, INNER_LEAST))
				return true;
		}
	}
	return false;
}

/* nested - does the thread stand on a stack within its own, a coroutine's or a signal handler's? What was in use before
 * lies below @sp then. @here: it is this thread, and below are frames of ours. */
static bool nested(uintptr_t low, uintptr_t sp, uintptr_t high, bool here)
{
	return tells_of_inner((sp + WORD - 1) & ~(WORD - 1), high, low, sp, high, 0) ||
	       (!here && told_below(low, sp, high));
}

static void add_thread(struct stacks *stacks, uintptr_t sp, uintptr_t tp)
{
	struct stack_rest stack;
	uint32_t at;

	if (!sp)
		return;
	if (!own_stack(tp, sp, &stack)) {
		for (at = stacks->loose_count++; at > 0 && stacks->loose[at - 1] > sp; at--)
			stacks->loose[at] = stacks->loose[at - 1];
		stacks->loose[at] = sp;
		return;
	}
	if (nested(stack.start, sp, stack.end, sp == stacks->here))
		return;
	stack.end = sp & ~(WORD - 1);
	for (at = stacks->rest_count++; at > 0 && stacks->rests[at - 1].start > stack.start; at--)
		stacks->rests[at] = stacks->rests[at - 1];
	stacks->rests[at] = stack;
}

bool stacks_read(struct stacks *stacks, uintptr_t sp, const struct halted *halted)
{
	memset(stacks, 0, sizeof(*stacks));
	/* Whole pages: what else is in their last one would be taken for the host's. */
	stacks->room = (1 + (halted ? halted->count : 0) + MEMORY_PAGE - 1) & ~(MEMORY_PAGE - 1);
	stacks->rests = os_map(stacks->room * sizeof(*stacks->rests));
	stacks->loose = os_map(stacks->room * sizeof(*stacks->loose));
	if (!stacks->rests || !stacks->loose) {
		stacks_finish(stacks);
		return false;
	}
	stacks->here = sp;
	add_thread(stacks, sp, threads_pointer());
	for (uint32_t i = 0; halted && i < halted->count; i++)
		add_thread(stacks, halted->threads[i].sp, halted->threads[i].tp);
	return true;
}

uintptr_t stacks_first(const struct stacks *stacks, uintptr_t start, uintptr_t end)
{
	for (uint32_t i = 0; i < stacks->loose_count; i++) {
		uintptr_t sp = stacks->loose[i];

		if (sp <= start || sp >= end)
			continue;
		return nested(start, sp, end, sp == stacks->here) ? start : sp & ~(WORD - 1);
	}
	return start;
}

const struct stack_rest *stacks_rest(struct stacks *stacks, uintptr_t from)
{
	while (stacks->next < stacks->rest_count && stacks->rests[stacks->next].end <= from)
		stacks->next++;
	return stacks->next < stacks->rest_count ? &stacks->rests[stacks->next] : NULL;
}

void stacks_finish(struct stacks *stacks)
{
	if (stacks->rests)
		os_unmap(stacks->rests, stacks->room * sizeof(*stacks->rests));
	if (stacks->loose)
		os_unmap(stacks->loose, stacks->room * sizeof(*stacks->loose));
	memset(stacks, 0, sizeof(*stacks));
}
