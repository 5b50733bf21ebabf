/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the host each function is one predictable branch, the real call, and one event for the record: after it where a
 * block comes, before it where one goes. Early on, and wherever blocks of the frozen copy's heap can turn up, the way
 * leads through the *_special functions, which record nothing.
 */
#define _GNU_SOURCE
#include "entry/alloc.h"
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/libc.h"
#include "base/os.h"
#include "entry/alloc_real.h"
#include "entry/early.h"
#include "entry/export.h"
#include "entry/record_fast.h"
#include "snapshot/freeze.h"
#include "snapshot/bump.h"

#define PAGE ((size_t)4096)
#define CLEARED 8192u      /* bytes of the largest block that is zeroed */

/* How close two blocks can begin: of glibc's own chunks the smallest has 32 bytes. Whatever else may be there (musl's
 * slots, jemalloc and tcmalloc linked or preloaded behind this library) packs them closer; a block of 8 bytes is rare
 * enough to be lost. */
#define SPACING_GLIBC 32u
#ifdef __GLIBC__
#define SPACING_OTHERS 8u
#else
#define SPACING_OTHERS 16u
#endif

static __thread bool resolving __attribute__((tls_model("initial-exec")));

/* X(result, name, parameters, arguments, what a call made by dlsym itself gets) */
#define FAMILY(X) \
	X(void *, malloc, (size_t size), (size), early_alloc(size)) \
	X(void *, calloc, (size_t count, size_t size), (count, size), early_alloc(size ? count * size : 0)) \
	X(void *, realloc, (void *block, size_t size), (block, size), block ? NULL : early_alloc(size)) \
	X(void *, memalign, (size_t alignment, size_t size), (alignment, size), NULL) \
	X(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size), NULL) \
	X(int, posix_memalign, (void **block, size_t alignment, size_t size), (block, alignment, size), ENOMEM) \
	X(void *, valloc, (size_t size), (size), NULL) \
	X(void *, pvalloc, (size_t size), (size), NULL) \
	X(size_t, malloc_usable_size, (void *block), (block), 0)

#define DECLARE_FIRST(result, name, parameters, arguments, meanwhile) static result name##_first parameters;
FAMILY(DECLARE_FIRST)
static void free_first(void *block);

#define INITIAL(result, name, parameters, arguments, meanwhile) .name = name##_first,
struct alloc_real alloc_real = {
	FAMILY(INITIAL)
	.free = free_first,
};

/* This library's own, whoever comes first in the host's order of look-up. */
extern __typeof(malloc) own_malloc __attribute__((copy(malloc), alias("malloc"), visibility("hidden")));
extern __typeof(free) own_free __attribute__((copy(free), alias("free"), visibility("hidden")));

/* The size of a block that the host got from its first malloc, and how the host frees one. */
static size_t (*host_size)(void *block);
static void (*host_free)(void *block) = own_free;

/* Where the libc has no such function (musl: pvalloc). */
static void *memalign_plain(size_t alignment, size_t size)
{
	return alloc_real.aligned_alloc(alignment, size);
}

static void *valloc_plain(size_t size)
{
	return alloc_real.memalign(PAGE, size);
}

static void *pvalloc_plain(size_t size)
{
	return size > SIZE_MAX - PAGE ? NULL : alloc_real.memalign(PAGE, (size + PAGE - 1) & ~(PAGE - 1));
}

static size_t usable(uintptr_t address)
{
	return alloc_real.malloc_usable_size((void *)address);
}

/* Is the allocator glibc's own? */
static bool is_glibc(void)
{
#ifdef __GLIBC__
	void *version = dlsym(RTLD_NEXT, "gnu_get_libc_version");
	Dl_info libc, allocator;

	return version && dladdr(version, &libc) && dladdr((void *)alloc_real.malloc, &allocator) &&
	       libc.dli_fbase == allocator.dli_fbase;
#else
	return false;
#endif
}

/* Return: false if the call comes from the look-up itself. Several threads may do it at once: same results. */
static bool resolve(void)
{
	void *found;

	if (resolving)
		return false;
	resolving = true;
#define RESOLVE(result, name, parameters, arguments, meanwhile) \
	if ((found = dlsym(RTLD_NEXT, #name))) \
		alloc_real.name = (result (*) parameters)found;
	if ((found = dlsym(RTLD_NEXT, "free")))
		alloc_real.free = (void (*)(void *))found;
	FAMILY(RESOLVE)
	if (alloc_real.memalign == memalign_first)
		alloc_real.memalign = memalign_plain;
	if (alloc_real.valloc == valloc_first)
		alloc_real.valloc = valloc_plain;
	if (alloc_real.pvalloc == pvalloc_first)
		alloc_real.pvalloc = pvalloc_plain;
	/* A host that brings its own allocator brings the size of its blocks too. (Not so for forwarding: who comes
	 * before this library may itself forward to us.) */
	host_size = alloc_real.malloc_usable_size;
	alloc_real.leaves_links = is_glibc();
	blocks_init(alloc_real.leaves_links ? SPACING_GLIBC : SPACING_OTHERS);
	blocks_measure(usable);
	if (!alloc_in_use()) {
		if ((found = dlsym(RTLD_DEFAULT, "malloc_usable_size")))
			host_size = (size_t (*)(void *))found;
		if ((found = dlsym(RTLD_DEFAULT, "free")))
			host_free = (void (*)(void *))found;
	}
	resolving = false;
	return true;
}

#define FIRST(result, name, parameters, arguments, meanwhile) \
	static result name##_first parameters \
	{ \
		if (!resolve() || alloc_real.name == name##_first) \
			return meanwhile; \
		return alloc_real.name arguments; \
	}
FAMILY(FIRST)

static void free_first(void *block)
{
	if (resolve() && alloc_real.free != free_first)
		alloc_real.free(block);
}

void alloc_init(void)
{
	if (alloc_real.malloc == malloc_first)
		resolve();
}

void alloc_keep_links(void)
{
	alloc_real.leaves_links = false;
}

/* Does the allocator fill blocks with something of its own (MALLOC_PERTURB_)? Not the smallest, which come from its
 * caches. */
static bool perturbs(void)
{
	enum { SIZE = 4096, MIDDLE = SIZE / 2, OURS = 0x5a };
	char *block = alloc_real.malloc(SIZE);
	uintptr_t first = (uintptr_t)block;
	bool filled;

	if (!block)
		return false;
	*(volatile char *)&block[MIDDLE] = OURS;
	alloc_real.free(block);
	block = alloc_real.malloc(SIZE);
	filled = (uintptr_t)block == first && block[MIDDLE] != OURS && block[MIDDLE];
	alloc_real.free(block);
	return filled;
}

void alloc_clear(void)
{
	alloc_real.clears = alloc_real.leaves_links && !perturbs();
}

bool alloc_in_use(void)
{
	return dlsym(RTLD_DEFAULT, "malloc") == (void *)own_malloc;
}

static bool ours(const void *block)
{
	return early_owns(block) || (freeze_mode != FREEZE_MODE_HOST && bump_owns(block));
}

static size_t our_size(const void *block)
{
	return early_owns(block) ? early_size(block) : bump_size(block);
}

/* Out of line, so that the host's way through each function needs no stack frame. */
static __attribute__((noinline)) void *served(size_t size, size_t alignment, bool zero)
{
	void *block = bump_alloc(size, alignment < 16 ? 16 : alignment, zero);

	if (!block)
		errno = ENOMEM;
	return block;
}

static __attribute__((noinline)) void free_special(void *block)
{
	if (!ours(block)) {
		/* The copy never returns anything to the host's allocator: another thread may hold its lock. */
		if (!freeze_inside())
			alloc_real.free(block);
	} else if (freeze_inside() && !early_owns(block)) {
		bump_release(block);
	}
}

/* Blocks change from the host's allocator to the copy's heap, or from the early room or the heap to the host's. */
static __attribute__((noinline)) void *realloc_special(void *block, size_t size)
{
	bool inside = freeze_inside(), own = block && ours(block);
	size_t old;
	void *moved;

	if (!inside && !own)
		return alloc_real.realloc(block, size);
	if (block && size == 0) { /* as glibc does */
		free_special(block);
		return NULL;
	}
	if (inside && own && !early_owns(block)) {
		moved = bump_resize(block, size);
		if (!moved)
			errno = ENOMEM;
		return moved;
	}
	moved = inside ? served(size, 16, false) : alloc_real.malloc(size);
	if (moved && block) {
		old = own ? our_size(block) : host_size(block);
		memcpy(moved, block, old < size ? old : size);
	}
	return moved;
}

static __attribute__((noinline)) void *calloc_special(size_t count, size_t size)
{
	size_t bytes;

	if (!freeze_inside())
		return alloc_real.calloc(count, size);
	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return served(bytes, 16, true);
}

static __attribute__((noinline)) void *malloc_special(size_t size)
{
	return freeze_inside() ? served(size, 16, false) : alloc_real.malloc(size);
}

static size_t power_of_two(size_t alignment)
{
	size_t power = 16;

	while (power < alignment && power <= SIZE_MAX / 4)
		power *= 2;
	return power;
}

/* Is this call for a block of Python's own? What may be a pointer there, Python knows. */
static inline bool for_python(void)
{
	return claim_mine.leaf || record_self.quiet;
}

/* From @from bytes on. Large blocks are their owners' to fill: few are written in part, and the time would be seen. */
static __attribute__((noinline)) void clear(void *block, size_t from)
{
	size_t size = alloc_real.malloc_usable_size(block);

	if (size <= CLEARED && from < size)
		memset((char *)block + from, 0, size - from);
}

static inline void forget(void *block)
{
	alloc_forget_links(block);
	if (unlikely(alloc_real.clears && block) && !for_python())
		clear(block, 0);
}

/* The event of a new block: @frame is the wrapper's own. */
#define BORN(block) (forget(block), record_put(block, CALLER_FRAME()))

EXPORT void *malloc(size_t size)
{
	void *block;

	if (unlikely(freeze_mode))
		return malloc_special(size);
	block = alloc_real.malloc(size);
	forget(block);
	record_put_fast(block, CALLER_FRAME());
	return block;
}

EXPORT void *calloc(size_t count, size_t size)
{
	void *block;

	if (unlikely(freeze_mode))
		return calloc_special(count, size);
	block = alloc_real.calloc(count, size);
	record_put_fast(block, CALLER_FRAME());
	return block;
}

/* Did a realloc to @size bytes that gave NULL leave the block as it was? glibc frees where 0 bytes are asked for. */
static bool stayed(size_t size)
{
	return size != 0 || !LIBC_REALLOC_FREES;
}

static inline __attribute__((always_inline)) void *move(void *block, size_t size, const void *frame)
{
	bool clears = unlikely(alloc_real.clears) && !for_python();
	size_t old = clears && block ? alloc_real.malloc_usable_size(block) : 0;
	uint32_t record = record_take(block);
	void *moved = alloc_real.realloc(block, size);

	if (!block)
		alloc_forget_links(moved);
	if (clears && moved)
		clear(moved, old);
	if (likely(moved))
		record_put_fast(moved, frame);
	else if (stayed(size))
		record_put_back(block, record);
	return moved;
}

EXPORT void *realloc(void *block, size_t size)
{
	if (unlikely(freeze_mode || early_owns(block)))
		return realloc_special(block, size);
	return move(block, size, CALLER_FRAME());
}

/* Not libc's own, which comes back through the realloc above. */
EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	if (unlikely(freeze_mode || early_owns(block)))
		return realloc_special(block, bytes);
	return move(block, bytes, CALLER_FRAME());
}

EXPORT void free(void *block)
{
	if (unlikely(freeze_mode || early_owns(block))) {
		free_special(block);
		return;
	}
	blocks_drop((uintptr_t)block);
	alloc_real.free(block);
}

/* No libc of today has these (cfree: none of tomorrow): as if they were free, the host's own if it has one. */
EXPORT void cfree(void *block)
{
	host_free(block);
}

EXPORT void free_sized(void *block, size_t size)
{
	(void)size;
	host_free(block);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
	(void)alignment, (void)size;
	host_free(block);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
	void *block;

	if (unlikely(freeze_mode) && freeze_inside())
		return served(size, power_of_two(alignment), false);
	block = alloc_real.memalign(alignment, size);
	BORN(block);
	return block;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	void *block;

	if (unlikely(freeze_mode) && freeze_inside())
		return served(size, power_of_two(alignment), false);
	block = alloc_real.aligned_alloc(alignment, size);
	BORN(block);
	return block;
}

static int posix_memalign_special(void **result, size_t alignment, size_t size)
{
	void *block;

	if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0)
		return EINVAL;
	block = bump_alloc(size, power_of_two(alignment), false);
	if (!block)
		return ENOMEM;
	*result = block;
	return 0;
}

EXPORT int posix_memalign(void **result, size_t alignment, size_t size)
{
	int error;

	if (unlikely(freeze_mode) && freeze_inside())
		return posix_memalign_special(result, alignment, size);
	error = alloc_real.posix_memalign(result, alignment, size);
	if (error == 0)
		BORN(*result);
	return error;
}

EXPORT void *valloc(size_t size)
{
	void *block;

	if (unlikely(freeze_mode) && freeze_inside())
		return served(size, PAGE, false);
	block = alloc_real.valloc(size);
	BORN(block);
	return block;
}

EXPORT void *pvalloc(size_t size)
{
	void *block;

	if (unlikely(freeze_mode) && freeze_inside())
		return served(size > SIZE_MAX - PAGE ? size : (size + PAGE - 1) & ~(PAGE - 1), PAGE, false);
	block = alloc_real.pvalloc(size);
	BORN(block);
	return block;
}

EXPORT size_t malloc_usable_size(void *block)
{
	if (unlikely(freeze_mode || early_owns(block)) && block && ours(block))
		return our_size(block);
	return alloc_real.malloc_usable_size(block);
}
