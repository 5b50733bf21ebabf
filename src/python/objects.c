/* SPDX-License-Identifier: Apache-2.0 */
#include "python/objects.h"

#include <pthread.h>
#include <string.h>

#include "base/os.h"
#include "ledger/blocks.h"
#include "ledger/traces.h"
#include "python/capi.h"
#include "python/codes.h"
#include "python/layout.h"
#include "python/calls.h"

#define POOLED_MOST ((size_t)512)  /* requests up to this come out of pymalloc's pools */
#define THREAD_LOCAL_STATE 0x030c  /* from here on each thread knows its own thread state */

#define DEBUG_HEAD 16              /* what the debug allocator puts before a block, and takes in all */
#define RAW_FENCE UINT64_C(0xfdfdfdfdfdfdfd72)  /* 'r' and the rest of a head */
#define DEBUG_EXTRA 24

/* The domains that are wrapped, as PyMem_SetAllocator numbers them. */
enum { DOMAIN_MEM = 1, DOMAIN_OBJ = 2 };

struct domain {
	struct allocator real;
	enum trace_kind kind;
};

/* Python may start anew, and wrap whatever has wrapped us: an earlier pair stays as it is. */
#define STARTS 8u
static struct domain domains[STARTS][2];
static unsigned starts;

static void nothing(void) { }

static bool wanted, hooked, pooled, debugged, frozen, reached;
static objects_native_fn native_frames;
static void (*before)(void) = nothing, (*after)(void) = nothing;
static void *(*current_thread)(void);  /* capi_current, without the choice */
static bool (*chosen)(size_t size);
static const char *problem = "Python has not been initialised";

void objects_configure(bool on, objects_native_fn native, void (*enter)(void), void (*leave)(void))
{
	wanted = on;
	native_frames = native;
	if (enter && leave) {
		before = enter;
		after = leave;
	}
}

void objects_sample(bool (*function)(size_t size))
{
	chosen = function;
}

/* As the report will ask: a pool's blocks are of whole classes, the debug allocator's have a head and a tail,
 * others are malloc's. */
static __attribute__((noinline)) bool sampled(void *block, size_t size)
{
	size_t bytes = debugged ? size + DEBUG_EXTRA : (size + 15) & ~(size_t)15;

	if (!debugged && (!pooled || size > POOLED_MOST))
		bytes = blocks_usable((uintptr_t)block);
	if (chosen(bytes ? bytes : 16))
		return true;
	blocks_take((uintptr_t)block);
	return false;
}

/* The calling thread's current frame, 0 for none; the caller holds the GIL, as far as it keeps CPython's rules. Up
 * to 3.11 another thread's state may be current if it does not: that is not followed. */
static inline uintptr_t current_frame(const struct calls *calls)
{
	uintptr_t thread = layout.version ? (uintptr_t)current_thread() : 0;

	if (unlikely(!thread))
		return 0;
	if (layout.version < THREAD_LOCAL_STATE && layout_word(thread, layout.thread_id) != calls->thread)
		return 0;
	return layout_current(thread);
}

static inline void put(const struct domain *domain, void *block, size_t size, const void *frame)
{
	struct calls *calls = block ? calls_mine() : NULL;

	if (unlikely(!calls || calls->busy || (chosen && !sampled(block, size))))
		return;
	calls->busy = true;
	uint32_t node = calls_node(calls, current_frame(calls));
	if (native_frames) {
		struct caller caller = caller_at(frame);
		node = native_frames(node, &caller, NULL);
	}
	if (unlikely(calls->tick++ == 0))
		traces_tick();
	uint32_t leaf = calls_leaf(calls, node, domain->kind);
	/* A block that malloc has served has its record already: its page is not this allocator's alone. */
	if (pooled && size <= POOLED_MOST && blocks_get((uintptr_t)block) == BLOCK_NONE)
		blocks_put_exclusive((uintptr_t)block, leaf, size < 16 ? 16 : (unsigned)(size + 15) & ~15u);
	else
		blocks_put((uintptr_t)block, leaf);
	calls->busy = false;
}

/* CPython's debug allocator puts its own head before the block: what malloc has served for both is one block, the
 * caller's. */
static inline void merge(void *block)
{
	uintptr_t address = (uintptr_t)block;

	if (unlikely(debugged && block) && !blocks_take(address - DEBUG_HEAD) &&
	    *(const uint64_t *)(address - DEBUG_HEAD - 8) == RAW_FENCE)
		blocks_take(address - 2 * DEBUG_HEAD); /* too large for a pool: the raw domain's head stands before */
}

static void *hook_malloc(void *context, size_t size)
{
	const struct domain *domain = context;
	void *block;

	if (unlikely(frozen)) {
		reached = true;
		return domain->real.malloc(domain->real.context, size);
	}
	if (likely(pooled && size <= POOLED_MOST)) {
		block = domain->real.malloc(domain->real.context, size);
	} else {
		before();
		block = domain->real.malloc(domain->real.context, size);
		after();
		merge(block);
	}
	put(domain, block, size, __builtin_frame_address(0));
	return block;
}

static void *hook_calloc(void *context, size_t count, size_t size)
{
	const struct domain *domain = context;
	void *block;

	if (unlikely(frozen))
		return domain->real.calloc(domain->real.context, count, size);
	if (likely(pooled && count <= POOLED_MOST && size <= POOLED_MOST && count * size <= POOLED_MOST)) {
		block = domain->real.calloc(domain->real.context, count, size);
	} else {
		before();
		block = domain->real.calloc(domain->real.context, count, size);
		after();
		merge(block);
	}
	/* No overflow, as there is a block. */
	put(domain, block, count * size, __builtin_frame_address(0));
	return block;
}

static void forget(void *block)
{
	uint32_t record = blocks_take((uintptr_t)block);

	if (unlikely(!record || (record & BLOCK_CODE)))
		codes_dead((uintptr_t)block);
}

static void *hook_realloc(void *context, void *block, size_t size)
{
	const struct domain *domain = context;
	uint32_t record = BLOCK_NONE;
	void *moved;

	if (block)
		record = blocks_take((uintptr_t)block);
	if (unlikely(frozen))
		return domain->real.realloc(domain->real.context, block, size);
	before();
	moved = domain->real.realloc(domain->real.context, block, size);
	after();
	merge(moved);
	if (likely(moved))
		put(domain, moved, size, __builtin_frame_address(0));
	else if (record)
		blocks_put_back((uintptr_t)block, record);
	return moved;
}

static void hook_free(void *context, void *block)
{
	const struct domain *domain = context;

	if (likely(block))
		forget(block);
	domain->real.free(domain->real.context, block);
}

static bool wrap(struct domain *domain, int number, enum trace_kind kind)
{
	struct allocator now = {
		domain, hook_malloc, hook_calloc, hook_realloc, hook_free,
	};

	domain->kind = kind;
	py.PyMem_GetAllocator(number, &domain->real);
	if (!domain->real.malloc || !domain->real.calloc || !domain->real.realloc || !domain->real.free)
		return false;
	py.PyMem_SetAllocator(number, &now);
	return true;
}

/* Does an allocation come by? It does too if somebody has wrapped the table after us. */
static bool probe(void)
{
	bool was = frozen;
	struct allocator now;

	py.PyMem_GetAllocator(DOMAIN_OBJ, &now);
	if (now.malloc == hook_malloc)
		return true;
	/* From 3.12 on an allocation needs a thread state. */
	if (!capi_current())
		return false;
	frozen = true;
	reached = false;
	void *block = py.PyObject_Malloc(16);
	py.PyObject_Free(block);
	frozen = was;
	return reached;
}

void objects_attach(void *(*symbol)(const char *name))
{
	if (!wanted || capi_problem() || py.free_threaded)
		return;
	if (hooked && probe())
		return;
	/* The first time, or Python has started anew and made its table again. */
	const char *name = py._PyMem_GetCurrentAllocatorName ? py._PyMem_GetCurrentAllocatorName() : NULL;
	pooled = name && strcmp(name, "pymalloc") == 0;
	debugged = name && strstr(name, "_debug");
	current_thread = py.PyThreadState_GetUnchecked ? py.PyThreadState_GetUnchecked : py._PyThreadState_UncheckedGet;
	bool fits = layout_attach(symbol);
	hooked = false;
	if (starts < STARTS) {
		struct domain *pair = domains[starts++];
		hooked = wrap(&pair[0], DOMAIN_MEM, TRACE_PYTHON_MEMORY) && wrap(&pair[1], DOMAIN_OBJ, TRACE_PYTHON_OBJECT);
	}
	if (!hooked)
		problem = "CPython's table of allocators is not as this version should have it";
	else if (!fits)
		problem = "the frames of this CPython are not laid out as its version should have them";
	else
		problem = NULL;
}

uintptr_t objects_evaluator(void)
{
	return (uintptr_t)py._PyEval_EvalFrameDefault;
}

uint32_t objects_trace(void)
{
	if (!layout.version)
		return TRACE_ROOT;
	void *thread = current_thread();
	/* Up to 3.11 it may be another thread's, about to end: compared, not read. */
	if (!thread || (layout.version < THREAD_LOCAL_STATE && thread != py.PyGILState_GetThisThreadState()))
		return TRACE_ROOT;
	struct calls *calls = calls_mine();
	if (!calls || calls->busy)
		return TRACE_ROOT;
	calls->busy = true;
	uint32_t node = calls_node(calls, layout_current((uintptr_t)thread));
	calls->busy = false;
	return node;
}

bool objects_debugged(void)
{
	return debugged;
}

void objects_freeze(bool on)
{
	frozen = on;
}

const char *objects_state(void)
{
	if (!wanted)
		return "switched off";
	if (capi_problem())
		return capi_problem();
	if (problem)
		return problem;
	if (!probe())
		return "somebody has put back an older table of allocators, as tracemalloc does if it was started first";
	return NULL;
}
