/* SPDX-License-Identifier: Apache-2.0 */
#include "native/walk.h"
#include <string.h>
#include "ledger/traces.h"
#include "native/frame.h"
#include "native/unwind.h"

static uint64_t unknown; /* walks that ended early */

/* Where the kernel keeps the registers of what a signal interrupted, from the handler's return on. */
#if defined(__x86_64__)
enum { SIGNAL_FP = 120, SIGNAL_SP = 160, SIGNAL_IP = 168 };
#else
enum { SIGNAL_FP = 544, SIGNAL_SP = 560, SIGNAL_IP = 568 };
#endif

static bool step_signal(struct trail *trail, struct registers *at)
{
	uintptr_t sp = at->sp;

	if (!extent_has(&trail->extent, sp, sp + SIGNAL_IP))
		return false;
	*at = (struct registers){ .ip = word_at(sp + SIGNAL_IP) + 1, .sp = word_at(sp + SIGNAL_SP),
				  .fp = word_at(sp + SIGNAL_FP) };
	/* Perhaps on another stack from here on. */
	return at->sp % WORD == 0 && extent_enter(&trail->extent, at->sp);
}

/* cfa_of - Return: 0 if it cannot be had. */
static uintptr_t cfa_of(struct trail *trail, const struct registers *at, struct rule rule)
{
	uintptr_t offset = (uintptr_t)(intptr_t)rule.cfa;

	switch (rule.kind) {
	case RULE_SP:
		return at->sp + offset;
	case RULE_FP:
		return at->fp + offset;
	case RULE_FP_LOAD:
		return extent_has(&trail->extent, at->sp, at->fp + offset) ? word_at(at->fp + offset) : 0;
	default:
		return 0;
	}
}

/* step - to the caller's frame. Return: false if that is not possible; @at is undefined then. */
static bool step(struct trail *trail, struct registers *at, struct rule rule)
{
	uintptr_t cfa, slot;

	if (unlikely(rule.kind == RULE_SIGNAL))
		return step_signal(trail, at);
	cfa = cfa_of(trail, at, rule);
	slot = ra_slot(rule, cfa);
	if (unlikely(cfa <= at->sp || slot >= cfa || !extent_has(&trail->extent, at->sp, slot)))
		return false;
	at->ip = ADDRESS(word_at(slot));
	if (rule.fp == RULE_FP_AT_CFA || rule.fp == RULE_FP_AT_FP) {
		slot = fp_slot(rule, cfa, at->fp);
		if (unlikely(slot >= cfa || !extent_has(&trail->extent, at->sp, slot)))
			return false;
		at->fp = word_at(slot);
	} else if (rule.fp == RULE_FP_LOST) {
		at->fp = 0;
	}
	at->sp = cfa;
	return true;
}

static void put_check(struct trail *trail, struct step *step, uintptr_t address)
{
	trail->checks[step->checks++] = (struct check){ address, word_at(address) };
}

/* push - put a waiting frame on the trail; its caller's frame is there and begins at @cfa. The checks stand in the
 * opposite of the order that they are looked at in. */
static void push(struct trail *trail, struct step waiting, uintptr_t cfa)
{
	const struct step *outer = trail->count ? &trail->steps[trail->count - 1] : NULL;
	struct rule rule = waiting.rule;
	struct step step = { waiting.key, waiting.sp, waiting.fp, { { 0 } } };
	bool needed = outer && outer->needs_fp;

	step.checks = outer ? outer->checks : 0;
	step.key = trace_native(waiting.key, rule.fixed ? 0 : trail->generation);
	step.foreign = (outer ? outer->foreign : trail->base_foreign) || !rule.inner;
	switch (rule.kind) {
	case RULE_SIGNAL:
		if (needed)
			put_check(trail, &step, step.sp + SIGNAL_FP);
		put_check(trail, &step, step.sp + SIGNAL_SP);
		put_check(trail, &step, step.sp + SIGNAL_IP);
		break;
	case RULE_SP:
	case RULE_FP:
	case RULE_FP_LOAD:
		put_check(trail, &step, ra_slot(rule, cfa));
		if (needed && (rule.fp == RULE_FP_AT_CFA || rule.fp == RULE_FP_AT_FP))
			put_check(trail, &step, fp_slot(rule, cfa, step.fp));
		if (rule.kind == RULE_FP_LOAD)
			put_check(trail, &step, step.fp + (uintptr_t)(intptr_t)rule.cfa);
		step.needs_fp = rule.kind != RULE_SP || (needed && rule.fp != RULE_FP_AT_CFA);
		break;
	default:
		break;
	}
	trail->steps[trail->count++] = step;
}

/* node_of - of the trail's step @top, made with those outside it as far as they have none. */
static uint32_t node_of(struct trail *trail, unsigned top)
{
	for (unsigned i = trail->made; i <= top; i++)
		trail->steps[i].node = traces_child(i ? trail->steps[i - 1].node : trail->base, trail->steps[i].key);
	if (trail->made <= top)
		trail->made = top + 1;
	return trail->steps[top].node;
}

static void cut(struct trail *trail, unsigned count)
{
	trail->count = count;
	if (trail->made > count)
		trail->made = count;
}

/* root - the outermost frame of a stack comes next. */
static void root(struct trail *trail, uint32_t parent)
{
	cut(trail, 0);
	trail->base = parent;
	trail->base_foreign = false;
	trail->whole = true;
}

/* make_room - for one more waiting step. Return: false if there is none. */
static bool make_room(struct trail *trail, unsigned waiting)
{
	unsigned half = trail->count / 2, checks;

	if (likely(trail->count + waiting < trail->room) || trail_grow(trail))
		return true;
	if (half == 0)
		return false;
	/* The outer half is forgotten but for its node. */
	checks = trail->steps[half - 1].checks;
	trail->base = node_of(trail, half - 1);
	trail->base_foreign = trail->steps[half - 1].foreign;
	trail->whole = false;
	memmove(trail->checks, trail->checks + checks,
		(trail->steps[trail->count - 1].checks - checks) * sizeof(*trail->checks));
	memmove(trail->steps, trail->steps + half, (trail->count - half) * sizeof(*trail->steps));
	trail->count -= half;
	trail->made = trail->made > half ? trail->made - half : 0;
	for (unsigned i = 0; i < trail->count; i++)
		trail->steps[i].checks -= checks;
	return true;
}

/* joins - does the stack go on as the trail does from @at? Steps that are no longer there are taken off. */
static bool joins(struct trail *trail, const struct registers *at, unsigned waiting, unsigned depth)
{
	unsigned count = trail->count;

	while (count && trail->steps[count - 1].sp < at->sp)
		count--;
	if (count && trail->steps[count - 1].sp == at->sp) {
		const struct check *failing;

		if (!walk_same(&trail->steps[count - 1], at)) {
			count--;
		} else if (!walk_suffices(trail, count + waiting, depth)) {
			count = 0;
		} else if (waiting >= depth ||
			   !(failing = walk_trail_failing(trail, count - 1, depth - waiting))) {
			cut(trail, count);
			return true;
		} else {
			/* The frame that this check belongs to is as it was, but not its caller. */
			while (count && trail->steps[count - 1].checks > (uint32_t)(failing - trail->checks))
				count--;
		}
	}
	cut(trail, count);
	return false;
}

/* put_checks - steps' checks [@from, @to) into the ring for @twig. Return: false if that cannot be. */
static bool put_checks(struct trail *trail, struct twig *twig, unsigned from, unsigned to)
{
	unsigned count = to - from, groups = (count + TRAIL_GROUP - 1) / TRAIL_GROUP;
	struct group *group;

	if (count > TRAIL_LONGEST)
		return false;
	if (trail->ring_head % TRAIL_RING + groups > TRAIL_RING)
		trail->ring_head += TRAIL_RING - trail->ring_head % TRAIL_RING;
	twig->at = trail->ring_head;
	twig->groups = (uint8_t)groups;
	group = &trail->ring[trail->ring_head % TRAIL_RING];
	trail->ring_head += groups; /* even if this fails: what was there is written over */
	for (unsigned i = 0; i < groups * TRAIL_GROUP; i++) {
		const struct check *check = &trail->checks[i < count ? to - 1 - i : from];
		uintptr_t words = (check->at - twig->sp) / WORD;

		if (words > UINT32_MAX || (check->at - twig->sp) % WORD != 0)
			return false;
		group[i / TRAIL_GROUP].place[i % TRAIL_GROUP] = (uint32_t)words;
		group[i / TRAIL_GROUP].value[i % TRAIL_GROUP] = check->value;
	}
	return true;
}

static struct twig *keep_twig(struct trail *trail, const struct registers *at, unsigned waiting, unsigned depth)
{
	const struct step *top = trail->count ? &trail->steps[trail->count - 1] : NULL;
	unsigned outer = trail->count - waiting, to = top ? top->checks : 0;
	unsigned from = trail->count > depth ? trail->steps[trail->count - depth - 1].checks : 0;
	struct walk_place place = walk_place(at, top && top->foreign ? trail->parent : 0);
	struct twig twig = {
		.ip = at->ip, .sp = at->sp, .fp = at->fp, .outer = TWIG_ROOTED, .node = trail->parent, .parent = trail->parent,
		.frames = (uint8_t)(waiting < UINT8_MAX ? waiting : UINT8_MAX), .stopping = trail->stopping,
		.epoch = TWIG_NO_EPOCH,
	}, *kept;
	unsigned way;

	if (!trail->stopping && outer && waiting < depth &&
	    (to - from > TRAIL_WHOLE || !walk_suffices(trail, trail->count, depth))) {
		twig.outer = outer - 1;
		twig.outer_sp = trail->steps[outer - 1].sp;
		twig.outer_node = node_of(trail, outer - 1);
		from = trail->steps[outer - 1].checks;
	}
	if (top) {
		twig.needs_fp = top->needs_fp;
		twig.foreign = top->foreign;
		if (twig.foreign || !trail->stopping)
			twig.node = top->node;
	}
	/* Before the count begins anew: what is left from the last time must not be taken for new. */
	if (trail->ring_head >= UINT32_MAX / 2)
		trail_clear_twigs(trail);
	if (!put_checks(trail, &twig, from, to))
		return NULL;
	way = trail->next_way[place.set]++ % TRAIL_WAYS;
	trail->tags[place.set][way] = place.tag;
	kept = &trail->twigs[place.set * TRAIL_WAYS + way];
	*kept = twig;
	walk_met(trail, kept);
	return kept;
}

/* enter - the trail is another's child, or of another kind of stack. */
static void enter(struct trail *trail, uint32_t parent)
{
	bool stopping = parent != TRACE_ROOT;

	if (trail->stopping != stopping || !trail->whole)
		root(trail, parent);
	if (trail->parent != parent)
		trail->made = 0;
	trail->stopping = stopping;
	trail->parent = trail->base = parent;
}

static void count_unknown(void)
{
	__atomic_fetch_add(&unknown, 1, __ATOMIC_RELAXED);
}

/* advance - to the caller's frame by whatever can be had. Return: the kind of rule that the frame has for what it is
 * worth: RULE_END and RULE_UNKNOWN have no caller's frame. */
static unsigned advance(struct trail *trail, struct registers *at, struct rule rule, bool *straight)
{
	struct registers here = *at;

	if (rule.kind == RULE_END)
		return RULE_END;
	if (!step(trail, at, rule)) {
		*at = here;
		if (rule.kind != RULE_OTHER || !unwind_step(&at->ip, &at->sp, &at->fp)) {
			count_unknown();
			return RULE_UNKNOWN;
		}
		*straight = false;
	}
	if (at->sp <= here.sp)
		*straight = false;
	return at->ip == 0 ? RULE_END : rule.kind;
}

uint32_t walk(struct trail *trail, struct registers at, uint32_t parent, unsigned depth, bool *foreign,
	      struct twig **kept)
{
	struct registers innermost = at;
	unsigned waiting = 0, left;
	bool straight = true; /* one stack, from its inner end outward */
	uint64_t lost = traces_lost();
	uint32_t node = parent;

	if (trail->parent != parent || trail->stopping != (parent != TRACE_ROOT))
		enter(trail, parent);
	while (!joins(trail, &at, waiting, depth)) {
		struct rule rule = rules_get(at.ip - 1);
		struct registers here = at;

		if (rule.stop && trail->stopping) {
			root(trail, parent);
			break;
		}
		if (!make_room(trail, waiting)) {
			trail->steps[trail->room - waiting].rule.kind = RULE_UNKNOWN;
			count_unknown();
			root(trail, parent);
			trail->whole = false;
			break;
		}
		rule.kind = advance(trail, &at, rule, &straight);
		trail->steps[trail->room - ++waiting] = (struct step){ here.ip, here.sp, here.fp, { .rule = rule } };
		if (rule.kind == RULE_END || rule.kind == RULE_UNKNOWN) {
			root(trail, parent);
			break;
		}
	}
	/* Outermost first; the caller's frame of each begins where the frame before on the trail, or the walk, says. */
	for (left = waiting; left > 0; left--) {
		struct step next = trail->steps[trail->room - left];

		push(trail, next, at.sp);
		at.sp = next.sp;
	}
	*foreign = trail->count && trail->steps[trail->count - 1].foreign;
	if (trail->count && (*foreign || !trail->stopping))
		node = node_of(trail, trail->count - 1);
	*kept = NULL;
	if (!straight)
		root(trail, parent);
	else
		*kept = keep_twig(trail, &innermost, waiting, depth);
	/* The path has a gap, perhaps: the next time it is looked for anew. */
	if (unlikely(traces_lost() != lost)) {
		trail_clear(trail);
		*kept = NULL;
	}
	return node;
}

uint64_t walk_unknown(void)
{
	return __atomic_load_n(&unknown, __ATOMIC_RELAXED);
}
