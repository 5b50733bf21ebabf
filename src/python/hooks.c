/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way is for a CPython whose frames have an instruction pointer (from 3.11 on), without its debug allocator
 * and without sampling; all else goes through the *_other functions. In the short way a block's leaf is found first.
 * What then comes out of pymalloc's pools gets its record here, and so does what malloc serves where its wrapper is
 * passed by (hooks.straight); else that gets it from the wrapper (claim.h).
 */
#include "python/hooks.h"
#include "base/os.h"
#include "ledger/blocks_pooled.h"
#include "ledger/claim.h"
#include "ledger/traces.h"
#include "python/calls.h"
#include "python/codes.h"
#include "python/layout.h"

#define POOLED_MOST ((size_t)512)  /* requests up to this come out of pymalloc's pools */

#define DEBUG_HEAD 16              /* what the debug allocator puts before a block, and takes in all */
#define RAW_FENCE UINT64_C(0xfdfdfdfdfdfdfd72)  /* 'r' and the rest of a head */
#define DEBUG_EXTRA 24

static void nothing(void) { }
struct hooks hooks = { .before = nothing, .after = nothing };

/* How the current frame is come by: 3.11 keeps it in a structure on the C stack that the thread state tells, which is
 * a variable; later ones have to be asked for the thread state. */
enum way { WAY_DIRECT, WAY_ASKING };

static enum way way_of(void)
{
	return layout_thread && layout.indirect && layout.chunk ? WAY_DIRECT : WAY_ASKING;
}

void hooks_settle(void)
{
	hooks.plain = !hooks.debugged && !hooks.frozen && !hooks.chosen && layout.version && !layout.unit &&
		      (way_of() == WAY_DIRECT || layout.version >= LAYOUT_THREAD_LOCAL_STATE);
	hooks.most = hooks.plain && hooks.pooled ? POOLED_MOST : 0;
}

/* As the report will ask: a pool's blocks are of whole classes, the debug allocator's have a head and a tail,
 * others are malloc's. */
static bool sampled(void *block, size_t size)
{
	size_t bytes = hooks.debugged ? size + DEBUG_EXTRA : (size + 15) & ~(size_t)15;

	if (!hooks.debugged && (!hooks.pooled || size > POOLED_MOST))
		bytes = blocks_usable((uintptr_t)block);
	if (hooks.chosen(bytes ? bytes : 16))
		return true;
	blocks_take((uintptr_t)block);
	return false;
}

/* The calling thread's state, 0 for none; the caller holds the GIL, as far as it keeps CPython's rules. Up to 3.11
 * another thread's state may be current if it does not: that is not followed. */
static uintptr_t thread_of(const struct calls *calls)
{
	uintptr_t thread = layout.version ? (uintptr_t)hooks.current_thread() : 0;

	if (thread && layout.version < LAYOUT_THREAD_LOCAL_STATE && layout_word(thread, layout.thread_id) != calls->thread)
		return 0;
	return thread;
}

/* The leaf of an allocation that this thread makes now; @frame: the hook's own. 0: not to be told. */
static __attribute__((noinline)) uint32_t leaf_find(const struct domain *domain, const void *frame)
{
	struct calls *calls = calls_mine();
	struct caller caller = caller_at(frame);

	if (unlikely(!calls || calls->busy))
		return 0;
	calls->busy = true;
	uintptr_t thread = thread_of(calls);
	uint32_t leaf = calls_leaf_find(calls, thread, thread ? layout_current(thread) : 0, &caller, domain->kind,
					hooks.native);
	if (unlikely(++calls->tick == 0))
		traces_tick();
	calls->busy = false;
	return leaf;
}

/* Where hooks.plain is. */
static inline __attribute__((always_inline))
uint32_t leaf_here(const struct domain *domain, const void *frame, enum way way)
{
	struct calls *calls = calls_known;

	if (likely(calls && !calls->busy)) {
		const struct caller caller = caller_at(frame);
		uint32_t leaf = 0;

		calls->busy = true;
		uintptr_t thread = way == WAY_DIRECT ? *layout_thread : (uintptr_t)hooks.current_thread();
		if (way == WAY_DIRECT && likely(thread && layout_word(thread, layout.thread_id) == calls->thread))
			leaf = calls_leaf(calls, layout_word(layout_word(thread, layout.thread_frame), layout.held_frame),
					  layout_word(thread, layout.chunk), &caller, domain->kind);
		if (way == WAY_ASKING && likely(thread))
			leaf = calls_leaf(calls, layout_current(thread), 0, &caller, domain->kind);
		if (likely(leaf)) {
			if (unlikely(++calls->tick == 0))
				traces_tick();
			calls->busy = false;
			return leaf;
		}
		calls->busy = false;
	}
	return leaf_find(domain, frame);
}

static inline __attribute__((always_inline)) void put_pooled(void *block, size_t size, uint32_t leaf)
{
	if (likely(block && leaf))
		blocks_put_pooled((uintptr_t)block, leaf, (unsigned)(size + 15) & ~15u);
}

/* Where hooks.straight is. */
static inline __attribute__((always_inline)) void put_straight(void *block, uint32_t leaf)
{
	if (likely(block))
		blocks_put_fast((uintptr_t)block, leaf);
}

/* Whatever the state. */
static void record_other(const struct domain *domain, void *block, size_t size, const void *frame)
{
	if (!block || (hooks.chosen && !sampled(block, size)))
		return;
	uint32_t leaf = leaf_find(domain, frame);
	if (hooks.pooled && size <= POOLED_MOST)
		put_pooled(block, size, leaf);
	else if (leaf)
		blocks_put((uintptr_t)block, leaf);
}

/* CPython's debug allocator puts its own head before the block: what malloc has served for both is one block, the
 * caller's. */
static void merge(void *block)
{
	uintptr_t address = (uintptr_t)block;

	if (unlikely(hooks.debugged && block) && !blocks_take(address - DEBUG_HEAD) &&
	    *(const uint64_t *)(address - DEBUG_HEAD - 8) == RAW_FENCE)
		blocks_take(address - 2 * DEBUG_HEAD); /* too large for a pool: the raw domain's head stands before */
}

static __attribute__((noinline)) void *malloc_other(const struct domain *domain, size_t size, const void *frame)
{
	void *block;

	if (unlikely(hooks.frozen)) {
		hooks.reached = true;
		return domain->real.malloc(domain->real.context, size);
	}
	hooks.before();
	block = domain->real.malloc(domain->real.context, size);
	hooks.after();
	merge(block);
	record_other(domain, block, size, frame);
	return block;
}

static inline __attribute__((always_inline))
void *malloc_by(void *context, size_t size, const void *frame, enum way way)
{
	const struct domain *domain = context;
	uint32_t leaf = likely(hooks.plain) ? leaf_here(domain, frame, way) : 0;
	void *block;

	if (likely(size - 1 < hooks.most)) {
		block = domain->real.malloc(domain->real.context, size);
		put_pooled(block, size, leaf);
	} else if (likely(leaf && hooks.straight)) {
		block = domain->real.malloc(domain->real.context, size);
		put_straight(block, leaf);
	} else if (likely(leaf)) {
		struct claim outer = claim_begin(leaf);

		block = domain->real.malloc(domain->real.context, size);
		claim_end(outer, (uintptr_t)block, leaf);
	} else {
		block = malloc_other(domain, size, frame);
	}
	return block;
}

static __attribute__((noinline))
void *calloc_other(const struct domain *domain, size_t count, size_t size, const void *frame)
{
	void *block;

	if (unlikely(hooks.frozen))
		return domain->real.calloc(domain->real.context, count, size);
	hooks.before();
	block = domain->real.calloc(domain->real.context, count, size);
	hooks.after();
	merge(block);
	/* No overflow, as there is a block. */
	record_other(domain, block, count * size, frame);
	return block;
}

static inline __attribute__((always_inline))
void *calloc_by(void *context, size_t count, size_t size, const void *frame, enum way way)
{
	const struct domain *domain = context;
	uint32_t leaf = likely(hooks.plain) ? leaf_here(domain, frame, way) : 0;
	void *block;

	if (likely((count | size) >> 32 == 0 && count * size - 1 < hooks.most)) {
		block = domain->real.calloc(domain->real.context, count, size);
		put_pooled(block, count * size, leaf);
	} else if (likely(leaf && hooks.straight)) {
		block = domain->real.calloc(domain->real.context, count, size);
		put_straight(block, leaf);
	} else if (likely(leaf)) {
		struct claim outer = claim_begin(leaf);

		block = domain->real.calloc(domain->real.context, count, size);
		claim_end(outer, (uintptr_t)block, leaf);
	} else {
		block = calloc_other(domain, count, size, frame);
	}
	return block;
}

static __attribute__((noinline))
void *realloc_other(const struct domain *domain, void *block, size_t size, const void *frame)
{
	uint32_t old = block ? blocks_take((uintptr_t)block) : BLOCK_NONE;
	void *moved;

	if (unlikely(hooks.frozen))
		return domain->real.realloc(domain->real.context, block, size);
	hooks.before();
	moved = domain->real.realloc(domain->real.context, block, size);
	hooks.after();
	merge(moved);
	if (moved)
		record_other(domain, moved, size, frame);
	else if (old)
		blocks_put_back((uintptr_t)block, old);
	return moved;
}

static inline __attribute__((always_inline))
void *realloc_by(void *context, void *block, size_t size, const void *frame, enum way way)
{
	const struct domain *domain = context;
	uint32_t leaf = likely(hooks.plain) ? leaf_here(domain, frame, way) : 0, old;
	void *moved;

	if (unlikely(!leaf))
		return realloc_other(domain, block, size, frame);
	old = block ? blocks_take((uintptr_t)block) : BLOCK_NONE;
	if (hooks.straight) {
		moved = domain->real.realloc(domain->real.context, block, size);
		put_straight(moved, leaf);
	} else {
		struct claim outer = claim_begin(leaf);
		moved = domain->real.realloc(domain->real.context, block, size);
		/* A block of malloc's that has become small stays malloc's. */
		bool pooled = size - 1 < hooks.most && claim_mine.block != (uintptr_t)moved;
		claim_end(outer, pooled ? 0 : (uintptr_t)moved, leaf);
		if (pooled)
			put_pooled(moved, size, leaf);
	}
	if (unlikely(!moved && old))
		blocks_put_back((uintptr_t)block, old);
	return moved;
}

static __attribute__((noinline)) void free_other(const struct domain *domain, void *block)
{
	uint32_t old = block ? blocks_take((uintptr_t)block) : BLOCK_NONE;

	/* What has no record may be a code object all the same. */
	if (block && (!old || (old & BLOCK_CODE)))
		codes_dead((uintptr_t)block);
	domain->real.free(domain->real.context, block);
}

static void hook_free(void *context, void *block)
{
	const struct domain *domain = context;

	if (likely(block && blocks_drop_plain((uintptr_t)block)))
		domain->real.free(domain->real.context, block);
	else
		free_other(domain, block);
}

/* The hooks for each way. Their own frame tells who has called. */
#define HOOKS(name, way) \
	static void *malloc_##name(void *context, size_t size) \
	{ \
		return malloc_by(context, size, CALLER_FRAME(), way); \
	} \
	static void *calloc_##name(void *context, size_t count, size_t size) \
	{ \
		return calloc_by(context, count, size, CALLER_FRAME(), way); \
	} \
	static void *realloc_##name(void *context, void *block, size_t size) \
	{ \
		return realloc_by(context, block, size, CALLER_FRAME(), way); \
	}
HOOKS(direct, WAY_DIRECT)
HOOKS(asking, WAY_ASKING)

struct allocator hooks_of(struct domain *domain)
{
	if (way_of() == WAY_DIRECT)
		return (struct allocator){ domain, malloc_direct, calloc_direct, realloc_direct, hook_free };
	return (struct allocator){ domain, malloc_asking, calloc_asking, realloc_asking, hook_free };
}
