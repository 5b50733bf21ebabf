/* SPDX-License-Identifier: Apache-2.0 */
#include "python/objects.h"

#include <pthread.h>
#include <string.h>

#include "base/os.h"
#include "ledger/traces.h"
#include "python/capi.h"
#include "python/codes.h"
#include "python/layout.h"
#include "python/calls.h"
#include "python/hooks.h"

/* The domains that are wrapped, as PyMem_SetAllocator numbers them. */
enum { DOMAIN_MEM = 1, DOMAIN_OBJ = 2 };

/* Python may start anew, and wrap whatever has wrapped us: an earlier pair stays as it is. */
#define STARTS 8u
static struct domain domains[STARTS][2];
static unsigned starts;

static bool wanted, hooked;
static const struct allocator *straight; /* NULL: malloc's wrapper is not passed by */
static void (*when_attached)(void);
static const char *problem = "Python has not been initialised";

void objects_configure(bool on, memo_native_fn native, void (*before)(void), void (*after)(void),
		       void (*attached)(void))
{
	wanted = on;
	when_attached = attached;
	hooks.native = native;
	if (before && after) {
		hooks.before = before;
		hooks.after = after;
	}
}

void objects_sample(bool (*chosen)(size_t size))
{
	hooks.chosen = chosen;
}

void objects_malloc(const struct allocator *allocator)
{
	straight = allocator;
}

static bool wrap(struct domain *domain, int number, enum trace_kind kind)
{
	struct allocator now = hooks_of(domain);

	domain->kind = memo_kind(kind);
	py.PyMem_GetAllocator(number, &domain->real);
	if (!domain->real.malloc || !domain->real.calloc || !domain->real.realloc || !domain->real.free)
		return false;
	if (hooks.straight)
		domain->real = *straight;
	py.PyMem_SetAllocator(number, &now);
	return true;
}

/* Does an allocation come by? It does too if somebody has wrapped the table after us. */
static bool probe(void)
{
	bool was = hooks.frozen;
	struct allocator now;

	py.PyMem_GetAllocator(DOMAIN_OBJ, &now);
	if (now.malloc == hooks_of(NULL).malloc)
		return true;
	/* From 3.12 on an allocation needs a thread state. */
	if (!capi_current())
		return false;
	objects_freeze(true);
	hooks.reached = false;
	void *block = py.PyObject_Malloc(16);
	py.PyObject_Free(block);
	objects_freeze(was);
	return hooks.reached;
}

void objects_attach(void *(*symbol)(const char *name))
{
	if (!wanted || capi_problem() || py.free_threaded)
		return;
	if (hooked && probe())
		return;
	/* The first time, or Python has started anew and made its table again. */
	const char *name = py._PyMem_GetCurrentAllocatorName ? py._PyMem_GetCurrentAllocatorName() : NULL;
	hooks.pooled = name && strcmp(name, "pymalloc") == 0;
	hooks.straight = straight && name && strcmp(name, "malloc") == 0;
	hooks.debugged = name && strstr(name, "_debug");
	hooks.current_thread = py.PyThreadState_GetUnchecked ? py.PyThreadState_GetUnchecked :
			       py._PyThreadState_UncheckedGet;
	bool fits = layout_attach(symbol);
	hooks_settle();
	hooked = false;
	if (starts < STARTS) {
		struct domain *pair = domains[starts++];
		hooked = wrap(&pair[0], DOMAIN_MEM, TRACE_PYTHON_MEMORY) &&
			 wrap(&pair[1], DOMAIN_OBJ, TRACE_PYTHON_OBJECT);
	}
	if (!hooked)
		problem = "CPython's table of allocators is not as this version should have it";
	else if (!fits)
		problem = "the frames of this CPython are not laid out as its version should have them";
	else
		problem = NULL;
	if (!problem && when_attached)
		when_attached();
}

uintptr_t objects_evaluator(void)
{
	return (uintptr_t)py._PyEval_EvalFrameDefault;
}

uint32_t objects_trace(void)
{
	if (!layout.version)
		return TRACE_ROOT;
	void *thread = hooks.current_thread();
	/* Up to 3.11 it may be another thread's, about to end: compared, not read. */
	if (!thread || (layout.version < LAYOUT_THREAD_LOCAL_STATE && thread != py.PyGILState_GetThisThreadState()))
		return TRACE_ROOT;
	struct calls *calls = calls_mine();
	if (!calls || calls->busy)
		return TRACE_ROOT;
	calls->busy = true;
	uint32_t node = calls_node(calls, (uintptr_t)thread, layout_current((uintptr_t)thread));
	calls->busy = false;
	return node;
}

bool objects_debugged(void)
{
	return hooks.debugged;
}

void objects_freeze(bool on)
{
	hooks.frozen = on;
	hooks_settle();
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
