/* SPDX-License-Identifier: Apache-2.0 */
#include "native/walk.h"
#include <string.h>
#include "native/frame.h"
#include "native/rules.h"

/* Where the return address stands of a frame of struct inside. */
static uintptr_t below(uintptr_t sp)
{
	return sp - WORD;
}

/* inside_met - is the frame at @sp one of the first *@known of @inside, and are all outside it there as well? Each
 * proves the next. Those that do not count any more are taken off *@known. */
static inline bool inside_met(const struct inside *inside, uintptr_t sp, uintptr_t ip, unsigned *known)
{
	unsigned there;

	while (*known && inside->frames[*known - 1].sp < sp)
		--*known;
	if (!*known || inside->frames[*known - 1].sp != sp || inside->frames[*known - 1].ip != ip)
		return false;
	there = *known - 1;
	while (there > 0 && likely(word_at(below(inside->frames[there - 1].sp)) == inside->frames[there - 1].ip))
		there--;
	if (there == 0)
		return true;
	*known = there - 1;
	return false;
}

/* inside_keep - @waiting frames, innermost first, go on the first @known. */
static void inside_keep(struct inside *inside, unsigned known, unsigned waiting)
{
	inside->count = known + waiting;
	for (unsigned i = 0; i < waiting; i++)
		inside->frames[inside->count - 1 - i] = inside->waiting[i];
}

/* inside_count - how many of its frames lie in a stack that ends at @high. */
static inline unsigned inside_count(const struct inside *inside, uintptr_t high)
{
	return inside->count && inside->frames[0].sp <= high ? inside->count : 0;
}

/* Those outside the @known frames of @inside that a walk has met are proven by them. */
static inline void prove_known(struct proof *proof, const struct inside *inside, unsigned known)
{
	for (unsigned i = known; i > 1 && proof->count != PROOF_NONE; i--)
		proof_add(proof, below(inside->frames[i - 2].sp), inside->frames[i - 2].ip);
}

/* Whatever the frames are. The frame pointer is not carried along but looked for when a frame needs it, which is rare;
 * and only what is known of the stack's extent is read: walk knows the rest. */
static __attribute__((noinline))
bool within_by_any(struct trail *trail, struct registers at, unsigned depth, struct proof *proof)
{
	const struct rule_table *table = __atomic_load_n(&rules_table, __ATOMIC_ACQUIRE);
	const uintptr_t high = trail->extent.high;
	struct inside *inside = &trail->inside;
	uintptr_t sp = at.sp, ip = at.ip, saved = sp - 2 * WORD; /* stands for the frame pointer at the call */
	unsigned known = inside_count(inside, high), waiting = 0;
	bool keeps = true;

	for (; !(inside_met(inside, sp, ip, &known) && waiting + known <= depth); waiting++) {
		struct rule rule = rules_get_from(table, ip - 1);
		uintptr_t cfa = sp + (uintptr_t)(intptr_t)rule.cfa, slot;

		if (unlikely(waiting == depth))
			return false;
		if (likely(waiting < INSIDE_MOST))
			inside->waiting[waiting] = (struct inner){ sp, ip };
		if (unlikely(rule.stop)) {
			known = 0;
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
		prove_known(proof, inside, known);
	if (likely(keeps && known + waiting <= INSIDE_MOST))
		inside_keep(inside, known, waiting);
	return true;
}

/* One of the interpreter's own frames as nearly all are: found from the stack pointer alone, with the return address
 * right below its caller's. */
static inline bool is_plain(struct rule rule, uintptr_t room)
{
	const struct rule mask = { .kind = 7, .inner = 1, .cfa = WORD - 1, .ra_at = -1 };
	const struct rule plain = { .kind = RULE_SP, .inner = 1, .ra_at = -1 };
	uint64_t bits, mask_bits, plain_bits;

	memcpy(&bits, &rule, sizeof(bits));
	memcpy(&mask_bits, &mask, sizeof(bits));
	memcpy(&plain_bits, &plain, sizeof(bits));
	return (bits & mask_bits) == plain_bits && rule.cfa > 0 && (uintptr_t)rule.cfa <= room;
}

enum answer { NOT_WITHIN, WITHIN, UNSURE };

/* As walk_within, through no more than @most frames, all of them plain. */
static inline __attribute__((always_inline))
enum answer within_by_plain(struct trail *trail, uintptr_t sp, uintptr_t ip, unsigned most, struct proof *proof)
{
	const struct rule_table *table = __atomic_load_n(&rules_table, __ATOMIC_ACQUIRE);
	const uintptr_t high = trail->extent.high;
	struct inside *inside = &trail->inside;
	unsigned known = inside_count(inside, high), waiting = 0;

	while (!inside_met(inside, sp, ip, &known)) {
		struct rule rule = rules_get_from(table, ip - 1);

		if (unlikely(waiting == most))
			return UNSURE;
		inside->waiting[waiting++] = (struct inner){ sp, ip };
		if (unlikely(rule.stop)) {
			known = 0;
			break;
		}
		if (unlikely(!is_plain(rule, high - sp)))
			return rule.inner ? UNSURE : NOT_WITHIN;
		sp += (uintptr_t)rule.cfa;
		ip = ADDRESS(word_at(below(sp)));
		if (proof)
			proof_add(proof, below(sp), word_at(below(sp)));
	}
	if (unlikely(known + waiting > most))
		return UNSURE;
	if (proof)
		prove_known(proof, inside, known);
	inside_keep(inside, known, waiting);
	return WITHIN;
}

bool walk_within(struct trail *trail, struct registers at, unsigned depth, struct proof *proof)
{
	unsigned most = depth < INSIDE_MOST ? depth : INSIDE_MOST;
	enum answer answer = UNSURE;

	if (likely(at.sp <= trail->extent.high && at.sp % WORD == 0))
		answer = within_by_plain(trail, at.sp, at.ip, most, proof);
	if (likely(answer != UNSURE))
		return answer == WITHIN;
	if (proof)
		proof->count = 0;
	return within_by_any(trail, at, depth, proof);
}
