/* SPDX-License-Identifier: Apache-2.0 */
/* walk.h - from frame to frame by rules, until the thread's trail is met. */
#ifndef NATIVE_WALK_H
#define NATIVE_WALK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/proof.h"
#include "native/trail.h"

/* A frame's registers. @ip is a return address; where a signal interrupted, the address + 1. */
struct registers {
	uintptr_t ip, sp, fp;
};

/* walk - bring @trail up to the stack from @at outward, and keep a twig of it: *@kept, NULL if there is none. @depth:
 * innermost frames that must be right. @trail's epoch is the present one. Return: the innermost frame's node, as
 * trace_here. */
uint32_t walk(struct trail *trail, struct registers at, uint32_t parent, unsigned depth, bool *foreign,
	      struct twig **kept);

/* walk_within - do the frames from @at outward lie in the stop function's module up to that function? @trail's steps
 * stay as they are. @proof (NULL: not asked for) has been begun and gets the words that say so. Return: false if they
 * do not, or if that takes more than this can follow. */
bool walk_within(struct trail *trail, const struct registers *at, unsigned depth, struct proof *proof);

/* walk_unknown - walks that ended early, so far. */
uint64_t walk_unknown(void);

/* The innermost check that fails among checks[from .. to), looked at from the last; NULL if all hold. In this order
 * nothing is read that the checks before did not prove to be a frame. */
static inline const struct check *walk_failing(const struct check *checks, unsigned from, unsigned to)
{
	while (to > from) {
		to--;
		if (unlikely(*(const uintptr_t *)checks[to].at != checks[to].value))
			return &checks[to];
	}
	return NULL;
}

/* The same of @twig's checks, if the ring still has them: do all hold? */
static inline bool walk_twig_holds(const struct trail *trail, const struct twig *twig)
{
	const uintptr_t *stack = (const uintptr_t *)twig->sp;
	const struct group *group = &trail->ring[twig->at % TRAIL_RING], *end = group + twig->groups;

	_Static_assert(TRAIL_GROUP == 4, "these");
	if (unlikely(trail->ring_head - twig->at > TRAIL_RING))
		return false;
	for (; group != end; group++)
		if (unlikely(stack[group->place[0]] != group->value[0] || stack[group->place[1]] != group->value[1] ||
			     stack[group->place[2]] != group->value[2] || stack[group->place[3]] != group->value[3]))
			return false;
	return true;
}

/* walk_trail_holds - is the trail still right from step @top outward, as far as the innermost @depth frames go? */
static inline const struct check *walk_trail_failing(const struct trail *trail, unsigned top, unsigned depth)
{
	unsigned from = top + 1 > depth ? trail->steps[top - depth].checks : 0;

	return walk_failing(trail->checks, from, trail->steps[top].checks);
}

/* walk_suffices - may a stack of @frames frames end where the trail does? Not where more is outside that nothing here
 * proves. */
static inline bool walk_suffices(const struct trail *trail, unsigned frames, unsigned depth)
{
	return trail->whole || frames >= depth;
}

static inline bool walk_same(const struct step *step, const struct registers *at)
{
	return step->sp == at->sp && (step->key ^ at->ip) << 16 == 0 && (!step->needs_fp || step->fp == at->fp);
}

/* walk_met - @twig is the stack of this allocation; after those met lately it may be again. */
static inline void walk_met(struct trail *trail, struct twig *twig)
{
	unsigned number = (unsigned)(twig - trail->twigs);

	trail->after[trail->lately] = (uint16_t)number;
	trail_met(trail, number);
}

/* Where twigs are that begin at @at: the set, and a tag in it. @parent: of those whose node hangs under it, else 0. */
struct walk_place {
	unsigned set;
	uint16_t tag;
};

static inline struct walk_place walk_place(const struct registers *at, uint32_t parent)
{
	uint64_t hash = (at->ip ^ at->sp << 20 ^ (uint64_t)parent << 36) * UINT64_C(0x9e3779b97f4a7c15);

	return (struct walk_place){ hash >> 57, (uint16_t)(hash >> 41 | 1) };
}
_Static_assert(TRAIL_SETS == 128, "seven bits of hash");

#endif
