/* SPDX-License-Identifier: Apache-2.0 */
#include "native/walk.h"
#include "native/frame.h"
#include "native/rules.h"

/* Where the return address stands of a frame of struct inside. */
static uintptr_t below(uintptr_t sp)
{
	return sp - WORD;
}

/* inside_met - is the frame at @sp the innermost of those up to *@met, and are all outside it there as well? Each
 * proves the next. Those that do not count any more lie inside *@met afterwards. */
static inline bool inside_met(const struct inside *inside, uintptr_t sp, uintptr_t ip, const struct inner **met)
{
	const struct inner *frame = *met;

	while (frame->sp < sp)
		frame--;
	*met = frame;
	if (frame->sp != sp || frame->ip != ip)
		return false;
	for (frame--; frame > inside->frames; frame--) {
		if (unlikely(word_at(below(frame->sp)) != frame->ip)) {
			*met = frame - 1;
			return false;
		}
	}
	return true;
}

/* inside_keep - @waiting frames, innermost first, go on those up to @met. */
static inline void inside_keep(struct inside *inside, const struct inner *met, unsigned waiting)
{
	unsigned known = (unsigned)(met - inside->frames);

	inside->count = known + waiting;
	for (unsigned i = 0; i < waiting; i++)
		inside->frames[inside->count - i] = inside->waiting[i];
}

/* inside_innermost - its innermost frame, if it lies in a stack that ends at @high. */
static inline const struct inner *inside_innermost(const struct inside *inside, uintptr_t high)
{
	return &inside->frames[inside->count && inside->frames[1].sp <= high ? inside->count : 0];
}

/* Those outside the frame @met that a walk has met are proven by them. */
static inline void prove_known(struct proof *proof, const struct inside *inside, const struct inner *met)
{
	for (; met > inside->frames + 1 && proof->count != PROOF_NONE; met--)
		proof_add(proof, below(met[-1].sp), met[-1].ip);
}

/* Whatever the frames are. The frame pointer is not carried along but looked for when a frame needs it, which is rare;
 * and only what is known of the stack's extent is read: walk knows the rest. */
static __attribute__((noinline))
bool within_by_any(struct trail *trail, struct registers at, unsigned depth, struct proof *proof)
{
	const struct rule_table *table = __atomic_load_n(&rules_table, __ATOMIC_ACQUIRE);
	const uintptr_t high = trail->extent.high;
	struct inside *inside = &trail->inside;
	const struct inner *met = inside_innermost(inside, high);
	uintptr_t sp = at.sp, ip = at.ip, saved = sp - 2 * WORD; /* stands for the frame pointer at the call */
	unsigned waiting = 0, known;
	bool keeps = true;

	for (; !(inside_met(inside, sp, ip, &met) && waiting + (unsigned)(met - inside->frames) <= depth); waiting++) {
		struct rule rule = rules_get_from(table, ip - 1);
		uintptr_t cfa = sp + (uintptr_t)(intptr_t)rule.cfa, slot;

		if (unlikely(waiting == depth))
			return false;
		if (likely(waiting < INSIDE_MOST))
			inside->waiting[waiting] = (struct inner){ sp, ip };
		if (unlikely(rule.stop)) {
			met = inside->frames;
			waiting++;
			break;
		}
		if (unlikely(rule.kind != RULE_SP)) {
			if (rule.kind != RULE_FP || !saved)
				return false;
			uintptr_t fp = saved == at.sp - 2 * WORD ? at.fp : word_at(saved);
			cfa = fp + (uintptr_t)(intptr_t)rule.cfa;
			if (proof && saved == at.sp - 2 * WORD)
				proof_add_fp(proof, fp);
			else if (proof)
				proof_add(proof, saved, fp);
			keeps = false;
		}
		slot = ra_slot(rule, cfa);
		if (unlikely(!rule.inner || slot < sp || slot >= high || slot >= cfa || slot % WORD != 0))
			return false;
		keeps &= slot == below(cfa);
		ip = ADDRESS(word_at(slot));
		if (proof)
			proof_add(proof, slot, word_at(slot));
		if (rule.fp != RULE_FP_SAME) {
			saved = rule.fp == RULE_FP_AT_CFA ? fp_slot(rule, cfa, 0) : 0;
			if (unlikely(saved < sp || saved >= cfa))
				saved = 0;
		}
		sp = cfa;
	}
	if (proof)
		prove_known(proof, inside, met);
	known = (unsigned)(met - inside->frames);
	if (likely(keeps && known + waiting <= INSIDE_MOST))
		inside_keep(inside, met, waiting);
	return true;
}

enum answer { NOT_WITHIN, WITHIN, UNSURE };

/* As walk_within, through no more than @most frames, all of them plain. */
static inline __attribute__((always_inline))
enum answer within_by_plain(struct trail *trail, uintptr_t sp, uintptr_t ip, unsigned most, struct proof *proof)
{
	const uint32_t epoch = __atomic_load_n(&rules_epoch, __ATOMIC_ACQUIRE);
	const uintptr_t high = trail->extent.high;
	struct inside *inside = &trail->inside;
	const struct inner *met = inside_innermost(inside, high);
	unsigned waiting = 0, words;

	while (!inside_met(inside, sp, ip, &met)) {
		if (unlikely(waiting == most))
			return UNSURE;
		inside->waiting[waiting++] = (struct inner){ sp, ip };
		words = rules_plain(ip - 1, epoch);
		if (unlikely(words - 1 >= RULES_STOP - 1)) { /* that, or 0 */
			if (words != RULES_STOP)
				return rules_get(ip - 1).inner ? UNSURE : NOT_WITHIN;
			met = inside->frames;
			break;
		}
		if (unlikely(words * WORD > high - sp))
			return UNSURE;
		sp += words * WORD;
		ip = ADDRESS(word_at(below(sp)));
		if (proof)
			proof_add(proof, below(sp), word_at(below(sp)));
	}
	if (unlikely((unsigned)(met - inside->frames) + waiting > most))
		return UNSURE;
	if (proof)
		prove_known(proof, inside, met);
	inside_keep(inside, met, waiting);
	return WITHIN;
}

bool walk_within(struct trail *trail, const struct registers *at, unsigned depth, struct proof *proof)
{
	unsigned most = depth < INSIDE_MOST ? depth : INSIDE_MOST;
	enum answer answer = UNSURE;

	if (likely(at->sp <= trail->extent.high && at->sp % WORD == 0))
		answer = proof ? within_by_plain(trail, at->sp, at->ip, most, proof) :
				 within_by_plain(trail, at->sp, at->ip, most, NULL);
	if (likely(answer != UNSURE))
		return answer == WITHIN;
	if (proof)
		proof->count = 0;
	return within_by_any(trail, *at, depth, proof);
}
