/* SPDX-License-Identifier: Apache-2.0 */
#include "native/trace.h"
#include <stddef.h>
#include "ledger/traces.h"
#include "native/modules.h"
#include "native/trace_fast.h"

static unsigned depth; /* 0: not yet */
__thread struct trail *trace_mine;

/* In a key: 0 for what nothing can unload, else the count of unloads, round and round. */
#define GENERATIONS 0x3fffu
static uint32_t generation_for_keys(uint32_t unloads)
{
	return 1 + unloads % GENERATIONS;
}

void trace_init(unsigned frames)
{
	trail_init();
	rules_init();
	depth = frames;
}

void trace_stop_at(uintptr_t function)
{
	rules_stop_at(function);
}

/* returns_to - does the function called from @ip still return there? Its caller's frame begins at @sp. */
static bool returns_to(uintptr_t sp, uintptr_t ip)
{
#if defined(__x86_64__)
	return ((const uintptr_t *)sp)[-1] == ip;
#else
	(void)sp, (void)ip;
	return true;
#endif
}

/* acquire - the thread's trail, not in use by a call that this one interrupts. */
static __attribute__((noinline)) struct trail *acquire(const struct registers *at)
{
	struct trail *trail = trace_mine;

	if (depth == 0 || at->sp == 0)
		return NULL;
	if (!trail)
		trail = trace_mine = trail_acquire();
	if (!trail)
		return NULL;
	if (trail->busy) {
		/* Interrupted in the midst of its work and left by a jump, if its frames are not there any more.
		 * Only of one and the same stack can that be said. */
		if (!extent_at_home(&trail->extent, at->sp) || !extent_at_home(&trail->extent, trail->busy) ||
		    (at->sp < trail->busy && returns_to(trail->busy, trail->busy_ip)))
			return NULL;
		trail_clear(trail);
		trail->busy = 0;
	}
	return trail;
}

/* renew - something was unloaded, or stacks end elsewhere now. */
static __attribute__((noinline)) void renew(struct trail *trail)
{
	trail->epoch = __atomic_load_n(&rules_epoch, __ATOMIC_ACQUIRE);
	trail->generation = generation_for_keys(modules_unloads());
	trail_clear(trail);
}

/* outside_holds - @twig's frames are there; is the trail outside them, that it hangs on? */
static __attribute__((noinline)) bool outside_holds(const struct trail *trail, const struct twig *twig)
{
	const struct step *outer = &trail->steps[twig->outer];

	return twig->outer < trail->made && outer->sp == twig->outer_sp && outer->node == twig->outer_node &&
	       trail->stopping == twig->stopping && walk_suffices(trail, twig->outer + 1 + twig->frames, depth) &&
	       (twig->frames >= depth || !walk_trail_failing(trail, twig->outer, depth - twig->frames));
}

/* proves - does @twig say what the stack from @at outward is? */
static inline bool proves(const struct trail *trail, const struct twig *twig, const struct registers *at,
			  uint32_t parent)
{
	bool stopping = parent != TRACE_ROOT;

	if (twig->ip != at->ip || twig->sp != at->sp || twig->stopping != stopping ||
	    (twig->needs_fp && twig->fp != at->fp))
		return false;
	if (twig->parent != parent && twig->foreign && stopping)
		return false;
	if (!walk_twig_holds(trail, twig))
		return false;
	return twig->outer == TWIG_ROOTED || outside_holds(trail, twig);
}

/* proven, known - the twig that proves the stack to be one met before; NULL if none does. */
static inline struct twig *proven(struct trail *trail, const struct registers *at, uint32_t parent,
				  struct walk_place place)
{
	struct twig *twig = &trail->twigs[place.set * TRAIL_WAYS];

	for (unsigned way = 0; way < TRAIL_WAYS; way++, twig++)
		if (trail->tags[place.set][way] == place.tag && proves(trail, twig, at, parent))
			return twig;
	return NULL;
}

static inline struct twig *known(struct trail *trail, const struct registers *at, uint32_t parent)
{
	struct twig *twig = proven(trail, at, parent, walk_place(at, 0));

	if (!twig && parent != TRACE_ROOT)
		twig = proven(trail, at, parent, walk_place(at, parent));
	return twig;
}

/* on_trail - is the stack the one that was walked last? */
static inline bool on_trail(const struct trail *trail, const struct registers *at, uint32_t parent)
{
	unsigned top = trail->count - 1;

	return trail->count && trail->parent == parent && trail->made == trail->count &&
	       walk_same(&trail->steps[top], at) && trail->stopping == (parent != TRACE_ROOT) &&
	       walk_suffices(trail, trail->count, depth) &&
	       !walk_trail_failing(trail, top, depth);
}

/* within - walk_within, by frame alone: does the stack add nothing to what Python's says? */
static inline bool within(struct trail *trail, const struct registers *at, const struct caller *caller,
			  struct proof *proof)
{
	if (proof)
		proof_begin(proof, caller, false);
	if (walk_within(trail, at, depth, proof)) {
		if (proof)
			proof_end(proof);
		return true;
	}
	if (proof)
		proof->count = PROOF_NONE;
	return false;
}

/* prove_trail, prove_twig - what has just been found, by what it was found by. A trail or a twig that ends at the stop
 * function stands for itself. @proof may be NULL. */
static void prove_trail(struct proof *proof, const struct caller *caller, const struct trail *trail)
{
	const struct step *top = &trail->steps[trail->count - 1];
	unsigned from = trail->count > depth ? trail->steps[trail->count - 1 - depth].checks : 0, to = top->checks;

	if (!proof)
		return;
	proof_begin(proof, caller, top->needs_fp);
	while (to-- > from && proof->count != PROOF_NONE)
		proof_add(proof, trail->checks[to].at, trail->checks[to].value);
	proof_end(proof);
}

static void prove_twig(struct proof *proof, const struct caller *caller, const struct trail *trail,
		       const struct twig *twig)
{
	const struct group *group = &trail->ring[twig->at % TRAIL_RING], *end = group + twig->groups;

	if (!proof || twig->outer != TWIG_ROOTED)
		return;
	proof_begin(proof, caller, twig->needs_fp);
	for (; group != end; group++)
		for (unsigned i = 0; i < TRAIL_GROUP && proof->count != PROOF_NONE; i++)
			proof_add(proof, twig->sp + group->place[i] * sizeof(uintptr_t), group->value[i]);
	proof_end(proof);
}

/* @proof may be NULL. */
static inline __attribute__((always_inline))
uint32_t here(uint32_t parent, const struct caller *caller, bool *foreign, struct proof *proof)
{
	struct registers at = { caller->ip, caller->cfa, caller->fp };
	struct trail *trail = trace_mine;
	uint32_t node = parent;
	struct twig *twig;
	bool other = false;

	if (unlikely(!trail || trail->busy))
		trail = acquire(&at);
	if (likely(trail != NULL)) {
		trace_begin(trail, at.ip, at.sp);
		if (unlikely(trail->epoch != __atomic_load_n(&rules_epoch, __ATOMIC_RELAXED)))
			renew(trail);
		if (likely(extent_enter(&trail->extent, at.sp))) {
			if (parent != TRACE_ROOT && within(trail, &at, caller, proof)) {
				node = parent;
			} else if (on_trail(trail, &at, parent)) {
				node = trail->steps[trail->count - 1].node;
				other = trail->steps[trail->count - 1].foreign;
				prove_trail(proof, caller, trail);
			} else if ((twig = known(trail, &at, parent))) {
				walk_met(trail, twig);
				other = twig->foreign;
				if (other || parent == TRACE_ROOT)
					node = twig->node;
				prove_twig(proof, caller, trail, twig);
			} else {
				node = walk(trail, at, parent, depth, &other, &twig);
				if (twig)
					prove_twig(proof, caller, trail, twig);
			}
		}
		trace_end(trail);
	}
	if (foreign)
		*foreign = other;
	return node;
}

uint32_t trace_leaf_other(uintptr_t ip, uintptr_t sp, uintptr_t fp)
{
	struct caller caller = { ip, sp, fp };

	return traces_leaf(trace_here(TRACE_ROOT, &caller, NULL), TRACE_MALLOC);
}

uint32_t trace_leaf_search(struct trail *trail, uintptr_t ip, uintptr_t sp, uintptr_t fp)
{
	struct registers at = { ip, sp, fp };
	struct twig *twig = &trail->twigs[trail->after[trail->lately]];
	uint32_t epoch = traces_epoch();
	bool foreign;

	if (proves(trail, twig, &at, TRACE_ROOT) || (twig = known(trail, &at, TRACE_ROOT))) {
		walk_met(trail, twig);
		if (twig->needs_fp || twig->outer != TWIG_ROOTED)
			return traces_leaf(twig->node, TRACE_MALLOC);
		twig->leaf = traces_leaf(twig->node, TRACE_MALLOC);
		twig->epoch = traces_parent(twig->leaf) == twig->node ? (uint16_t)epoch : TWIG_NO_EPOCH; /* or lost */
		return twig->leaf;
	}
	if (!extent_enter(&trail->extent, sp))
		return traces_leaf(TRACE_ROOT, TRACE_MALLOC);
	return traces_leaf(walk(trail, at, TRACE_ROOT, depth, &foreign, &twig), TRACE_MALLOC);
}

uint32_t trace_here(uint32_t parent, const struct caller *caller, bool *foreign)
{
	return here(parent, caller, foreign, NULL);
}

uint32_t trace_here_proven(uint32_t parent, const struct caller *caller, struct proof *proof)
{
	if (proof)
		proof->count = PROOF_NONE;
	return here(parent, caller, NULL, proof);
}

void trace_unloading(void)
{
	modules_unloaded();
	rules_forget();
}

uint32_t trace_generation(void)
{
	return modules_unloads();
}

/* there - was the module there at an unload count that a key's @generation may mean? */
static bool there(const struct module *module, uint32_t generation)
{
	uint32_t last = module->loaded ? modules_unloads() : module->last;
	/* The first from @first on that reads so in a key. */
	uint32_t count = module->first + (generation - generation_for_keys(module->first) + GENERATIONS) % GENERATIONS;

	return module->first <= last && count <= last;
}

uint32_t trace_frame(uint64_t key, uint64_t *offset)
{
	uintptr_t address = (key & 0xffffffffffff) - 1;
	uint32_t generation = key >> 48 & 0x3fff, found = MODULE_NONE;

	for (uint32_t i = 0; i < modules_count(); i++) {
		const struct module *module = modules_get(i);

		if (address < module->start || address >= module->end)
			continue;
		/* A frame that nothing can unload has a count where it has no rule that would tell. */
		if (generation == 0 ? !module->startup :
		    module->startup ? modules_find(address) != i : !there(module, generation))
			continue;
		if (found != MODULE_NONE) { /* two may be meant */
			found = MODULE_NONE;
			break;
		}
		found = i;
	}
	*offset = found == MODULE_NONE ? address : address - modules_get(found)->bias;
	return found;
}

const char *trace_state(void)
{
	return depth == 0 ? "native stacks are not recorded" : NULL;
}

uint64_t trace_unknown(void)
{
	return walk_unknown();
}

void trace_prepare(void)
{
	trail_prepare();
}

void trace_parent(void)
{
	trail_parent();
}

void trace_child(void)
{
	rules_child();
	trail_child(trace_mine);
}
