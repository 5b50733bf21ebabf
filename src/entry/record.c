/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "entry/record.h"
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/options.h"
#include "base/os.h"
#include "entry/alloc.h"
#include "entry/record_fast.h"
#include "ledger/traces.h"
#include "native/trace.h"
#include "python/objects.h"

uint8_t record_mode = RECORD_EARLY;
__thread struct record_state record_self;

/* Exponentially distributed with the mean options.sample: -ln(u) = ln 2 * (64 - log2 of 64 random bits). No libm
 * here: behind the point a cubic that has the logarithm's slope at both ends, where short intervals come from (at
 * most 0.0008 off). */
static int64_t draw(void)
{
	double fraction, log;
	unsigned whole;
	uint64_t bits;

	if (!record_self.random)
		record_self.random = (os_monotonic_ns() ^ (uintptr_t)&record_self) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	record_self.random ^= record_self.random << 13;
	record_self.random ^= record_self.random >> 7;
	record_self.random ^= record_self.random << 17;
	bits = record_self.random * UINT64_C(0x2545f4914f6cdd1d) | 1;
	whole = 63 - (unsigned)__builtin_clzll(bits);
	fraction = (double)(bits << (63 - whole) << 1 >> 12) / (double)(UINT64_C(1) << 52);
	log = whole + fraction + fraction * (1 - fraction) * (0.44269504 - 0.16405 * fraction);
	return (int64_t)((double)options.sample * 0.6931471805599453 * (64 - log)) + 1;
}

/* A thread starts with nothing left: its first allocation draws, and is then asked like any other. */
bool record_sampled(size_t size)
{
	if (record_self.bytes == 0)
		record_self.bytes = draw();
	if (record_self.bytes > (int64_t)size) {
		record_self.bytes -= (int64_t)size;
		return false;
	}
	record_self.bytes = draw();
	return true;
}

__attribute__((noinline, cold)) void record_tick(void)
{
	record_self.left = RECORD_TICK;
	/* Early on not even libc's clock may be asked: a sanitizer's runtime stands in for it and may not be ready. */
	if (likely(record_mode != RECORD_EARLY))
		traces_tick();
}

static inline void put(void *block, uint32_t node)
{
	if (unlikely(record_self.left-- == 0))
		record_tick();
	blocks_put_fast((uintptr_t)block, traces_leaf(node, TRACE_MALLOC));
}

__attribute__((noinline)) void record_put_other(void *block, const void *frame)
{
	struct caller caller = caller_at(frame);
	uint32_t parent = TRACE_ROOT;

	if (!block || record_mode == RECORD_OFF)
		return;
	/* Bytes below Python's hook are drawn for there, once. */
	if (record_mode == RECORD_SAMPLED && (record_self.quiet || !record_sampled(blocks_usable((uintptr_t)block))))
		return;
	if (record_self.quiet) {
		put(block, TRACE_ROOT);
	} else if (record_mode == RECORD_EARLY) {
		put(block, traces_child(TRACE_ROOT, trace_native(caller.ip, 0)));
	} else {
		if (options.alloc == ALLOC_ALL)
			parent = objects_trace();
		put(block, trace_here(parent, &caller, NULL));
	}
}

void record_put(void *block, const void *frame)
{
	record_put_fast(block, frame);
}

uint32_t record_take(void *block)
{
	return blocks_take((uintptr_t)block);
}

void record_put_back(void *block, uint32_t record)
{
	blocks_put_back((uintptr_t)block, record);
}

void record_before(void)
{
	record_self.quiet++;
}

void record_after(void)
{
	record_self.quiet--;
}

static bool drop(void *unused, uintptr_t address, uint32_t record)
{
	(void)unused, (void)record;
	blocks_take(address);
	return true;
}

/* Does a malloc of the host's come here? Others may stand before us whom no look-up shows: valgrind changes the code
 * itself. */
static bool reached(void)
{
	void *(*volatile allocate)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc");
	void (*volatile release)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "free");
	void *block = allocate ? allocate(1) : NULL;
	bool seen = blocks_get((uintptr_t)block) != BLOCK_NONE;

	if (release)
		release(block);
	return seen;
}

static const char *foreign_allocator(void)
{
	static const char *const sanitizers[] = {
		"__asan_init", "__hwasan_init", "__msan_init", "__tsan_init", "__lsan_init"
	};

	for (unsigned i = 0; i < sizeof(sanitizers) / sizeof(sanitizers[0]); i++) {
		if (dlsym(RTLD_DEFAULT, sanitizers[i]))
			return "the program is built with a sanitizer, whose allocator is called instead of this library's";
	}
	/* Ask by calling: in a program at a fixed address a look-up finds the program's own entry for malloc, which
	 * leads here. */
	if (reached())
		return NULL;
	if (!alloc_in_use())
		return "the program brings an allocator of its own (as with a static jemalloc or tcmalloc), "
		       "which is called instead of this library's";
	return "calls of malloc do not reach this library: valgrind or another tool takes them first";
}

/* past_malloc - do C++'s operators belong to an allocator that is not called through malloc (a shared jemalloc or
 * tcmalloc)? */
static bool past_malloc(void)
{
	void *operator_new = dlsym(RTLD_DEFAULT, "_Znwm"), *next = dlsym(RTLD_NEXT, "malloc");
	Dl_info of_operator, of_malloc;

	return operator_new && next && dladdr(operator_new, &of_operator) && dladdr(next, &of_malloc) &&
	       of_operator.dli_fbase == of_malloc.dli_fbase;
}

void record_init(void)
{
	const char *foreign;

	traces_tick();
	if (options.alloc == ALLOC_OFF || options.alloc == ALLOC_PYTHON) {
		__atomic_store_n(&record_mode, RECORD_OFF, __ATOMIC_RELAXED);
		blocks_each(drop, NULL);
		alloc_keep_links();
		blocks_restrict(options.alloc == ALLOC_OFF ? "switched off (alloc=off)" :
				"only Python's allocations are recorded (alloc=python)", true);
		return;
	}
	foreign = foreign_allocator();
	dlerror(); /* the host must not find our failures */
	if (foreign)
		blocks_restrict(foreign, true);
	else if (past_malloc())
		blocks_restrict("C++'s operator new is the allocator's own and does not come through malloc", false);
	else if (options.sample)
		blocks_restrict("a sample of the blocks is recorded (option sample)", false);
	__atomic_store_n(&record_mode, options.sample ? RECORD_SAMPLED :
			 options.alloc == ALLOC_NATIVE ? RECORD_NATIVE : RECORD_ALL, __ATOMIC_RELAXED);
}
