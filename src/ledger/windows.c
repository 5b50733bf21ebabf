/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "ledger/windows.h"
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "base/os.h"

#define CHUNK_FIRST ((size_t)64 << 10)
#define CHUNK ((size_t)512 << 10)
#define UNIT WINDOWS_ALIGNMENT
#define LEFT_BITS 22u
#define LEFT_MASK (((uint64_t)1 << LEFT_BITS) - 1)
#define CLASSES (WINDOWS_WIDEST - WINDOWS_NARROWEST + 1)

/* One word, so that one compare-and-swap takes a piece: address / 64 of the free rest of a chunk, and how many units
 * it has. */
static uint64_t rest;

/* Arrays given back, a stack for each class: address / 64 above, below it a count of changes, against a pop that
 * slept while the same array went and came back. */
static uint64_t given_back[CLASSES];
static size_t mapped;

size_t windows_mapped(void)
{
	return __atomic_load_n(&mapped, __ATOMIC_RELAXED);
}

void *windows_map(size_t size, int sparse)
{
	void *memory = os_map(size);

	if (!memory)
		return NULL;
	os_call(SYS_madvise, (long)memory, (long)size, MADV_DONTDUMP, 0, 0, 0);
	if (sparse)
		os_call(SYS_madvise, (long)memory, (long)size, MADV_NOHUGEPAGE, 0, 0, 0);
	__atomic_fetch_add(&mapped, size, __ATOMIC_RELAXED);
	return memory;
}

void windows_unmap(void *memory, size_t size)
{
	os_unmap(memory, size);
	__atomic_fetch_sub(&mapped, size, __ATOMIC_RELAXED);
}

static uint64_t packed(const void *memory, uint64_t low)
{
	return (uint64_t)((uintptr_t)memory / UNIT) << LEFT_BITS | (low & LEFT_MASK);
}

static void *address_of(uint64_t word)
{
	return (void *)(uintptr_t)((word >> LEFT_BITS) * UNIT);
}

static uint32_t *pop(unsigned shift)
{
	uint64_t *stack = &given_back[shift - WINDOWS_NARROWEST];
	uint64_t head = __atomic_load_n(stack, __ATOMIC_ACQUIRE), next;
	uint64_t *array;

	do {
		array = address_of(head);
		if (!array)
			return NULL;
		next = __atomic_load_n(array, __ATOMIC_RELAXED);
	} while (!__atomic_compare_exchange_n(stack, &head, packed(address_of(next), head + 1), false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	__atomic_store_n(array, 0, __ATOMIC_RELAXED);
	return (uint32_t *)array;
}

void windows_reuse(uint32_t *array, unsigned shift)
{
	uint64_t *stack = &given_back[shift - WINDOWS_NARROWEST], head = __atomic_load_n(stack, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < windows_count(shift); i++)
		__atomic_store_n(&array[i], 0, __ATOMIC_RELAXED);
	do {
		__atomic_store_n((uint64_t *)array, packed(address_of(head), 0), __ATOMIC_RELAXED);
	} while (!__atomic_compare_exchange_n(stack, &head, packed(array, head + 1), false,
					      __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* A new chunk takes the place of @seen, whose rest is too small. What is left of it is lost: less than an array. */
static bool refill(uint64_t seen)
{
	size_t size = seen ? CHUNK : CHUNK_FIRST;
	void *chunk = windows_map(size, 0);

	if (!chunk && size > CHUNK_FIRST)
		chunk = windows_map(size = CHUNK_FIRST, 0);
	if (!chunk)
		return false;
	if (!__atomic_compare_exchange_n(&rest, &seen, packed(chunk, size / UNIT), false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		windows_unmap(chunk, size);
	return true;
}

uint32_t *windows_new(unsigned shift)
{
	uint64_t units = windows_count(shift) * sizeof(uint32_t) / UNIT, seen, left;
	uint32_t *array = pop(shift);

	if (array)
		return array;
	seen = __atomic_load_n(&rest, __ATOMIC_ACQUIRE);
	for (;;) {
		left = seen & LEFT_MASK;
		if (left < units) {
			if (!refill(seen))
				return NULL;
			seen = __atomic_load_n(&rest, __ATOMIC_ACQUIRE);
			continue;
		}
		array = address_of(seen);
		if (__atomic_compare_exchange_n(&rest, &seen, packed((char *)array + units * UNIT, left - units), false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return array;
	}
}
