/* SPDX-License-Identifier: Apache-2.0 */
/* kept_parts.h - what kept.c's work consists of, after the mark. Frozen copy; 0 or -ENOMEM. */
#ifndef REPORT_KEPT_PARTS_H
#define REPORT_KEPT_PARTS_H
#include "report/gather.h"
#include "report/kept.h"

/* kept_in - is @block of the mark one that slots alone lead to? */
static inline bool kept_in(const struct gathered *gathered, uint32_t block)
{
	return gathered->kind[block] == GATHER_NATIVE && gathered->mark.block[block].label < MARK_OUTSIDE;
}

/* kept_next - the next word of @block (of the mark) from *@at on that leads to a kept block or to a slot, a closure's
 * by its code as well; *@at: behind it, 0 at first. Return: what it leads to, or MARK_FREE: no more. */
uint32_t kept_next(const struct gathered *gathered, uint32_t block, uintptr_t *at);

/* kept_expect - the words of @queue[@next] are about to be looked at: those of blocks further on are asked for, as each
 * is a miss of its own otherwise. */
static inline void kept_expect(const struct mark *mark, const uint32_t *queue, uint32_t next, uint32_t count)
{
	if (next + 16 < count)
		__builtin_prefetch(&mark->block[queue[next + 16]]);
	if (next + 8 < count) {
		const char *start = (const char *)(uintptr_t)mark->block[queue[next + 8]].start;
		__builtin_prefetch(start);
		__builtin_prefetch(start + 64);
	}
}

/* kept_closures - after the mark: take back what those closures lead to whose address something else knows. */
int kept_closures(const struct kept *kept, struct gathered *gathered, const struct roots *roots);

/* kept_readers - who else works with the slots that lead to something. kept_list - the blocks, each once. kept_share -
 * fill in @alone. In this order. */
int kept_readers(struct kept *kept, const struct gathered *gathered);
int kept_list(struct kept *kept, const struct gathered *gathered);
int kept_share(struct kept *kept, const struct gathered *gathered);

#endif
