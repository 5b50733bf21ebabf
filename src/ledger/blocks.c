/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/blocks.h"
#include <stdio.h>
#include "base/os.h"
#include "ledger/blocks_fast.h"
#include "ledger/windows.h"

#define PAGE_SHIFT WINDOWS_PAGE_SHIFT
#define PAGE_MASK (((uintptr_t)1 << PAGE_SHIFT) - 1)
#define REGION_SHIFT BLOCKS_REGION_SHIFT
#define REGIONS BLOCKS_REGIONS
#define REGION_PAGES BLOCKS_REGION_PAGES
#define RETRY 1024u       /* blocks that go by before mmap is asked again, once it has refused */

#define SHIFT_MASK BLOCKS_SHIFT_MASK

struct blocks_region *blocks_regions[REGIONS];
static uint64_t regions_used[REGIONS / 64];
uint8_t blocks_fast_shift = BLOCKS_GLIBC_SHIFT;
static uint8_t heap_shift = BLOCKS_GLIBC_SHIFT;
static bool crowded;       /* blocks of the host's malloc can begin closer than the narrowest window is wide */
static uint64_t lost, refused;
static size_t (*size_of)(uintptr_t address);
static const char *restricted;
static bool nothing;

void blocks_init(unsigned spacing)
{
	heap_shift = WINDOWS_NARROWEST;
	while (heap_shift < WINDOWS_WIDEST && spacing >> (heap_shift + 1))
		heap_shift++;
	blocks_fast_shift = heap_shift == BLOCKS_GLIBC_SHIFT ? BLOCKS_GLIBC_SHIFT : UINT8_MAX;
	crowded = spacing < 1u << WINDOWS_NARROWEST;
	os_own_add(blocks_regions, sizeof(blocks_regions));
}

/* A record's upper four bits: where in its window the block begins, in sixteenths. */
static uint32_t place_of(uintptr_t address, unsigned shift)
{
	return (uint32_t)(address >> (shift - 4)) << 28;
}

static uintptr_t address_of(uintptr_t page, unsigned window, unsigned shift, uint32_t record)
{
	return page + ((uintptr_t)window << shift) + ((uintptr_t)(record >> 28) << (shift - 4));
}

static uint32_t *windows_of(uint64_t page)
{
	return (uint32_t *)(uintptr_t)(page & ~SHIFT_MASK);
}

static inline uint32_t *window_of(uint64_t page, uintptr_t address)
{
	return windows_of(page) + ((address & PAGE_MASK) >> (page & SHIFT_MASK));
}

static bool lose(void)
{
	__atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
	return false;
}

/* Where mmap has refused, not every malloc from now on shall ask again. */
static bool may_map(void)
{
	uint64_t since = __atomic_load_n(&refused, __ATOMIC_RELAXED);

	return !since || __atomic_load_n(&lost, __ATOMIC_RELAXED) - since >= RETRY;
}

static bool refuse(void)
{
	__atomic_store_n(&refused, __atomic_load_n(&lost, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
	return lose();
}

/* Before what the bit stands for is there: who finds it looks. */
static void mark(uint64_t *bits, uintptr_t which)
{
	__atomic_fetch_or(&bits[which / 64], UINT64_C(1) << which % 64, __ATOMIC_RELAXED);
}

/* The first of @count bits that is set, from @which on; @count if none is. */
static uintptr_t marked_from(const uint64_t *bits, uintptr_t which, uintptr_t count)
{
	while (which < count) {
		uint64_t word = __atomic_load_n(&bits[which / 64], __ATOMIC_RELAXED) >> which % 64;

		if (word)
			return which + (unsigned)__builtin_ctzll(word);
		which = (which | 63) + 1;
	}
	return count;
}

static uint64_t *make_region(uintptr_t address)
{
	struct blocks_region **slot = &blocks_regions[address >> REGION_SHIFT], *there = NULL;
	struct blocks_region *made = windows_map(sizeof(*made), 1);

	if (!made)
		return NULL;
	mark(regions_used, address >> REGION_SHIFT);
	if (__atomic_compare_exchange_n(slot, &there, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		there = made;
	else
		windows_unmap(made, sizeof(*made));
	return &there->page[address >> PAGE_SHIFT & (REGION_PAGES - 1)];
}

static void copy_records(uint64_t from, uint32_t *to, unsigned shift)
{
	unsigned wide = (unsigned)(from & SHIFT_MASK);
	const uint32_t *records = windows_of(from);

	for (unsigned i = 0; i < windows_count(wide); i++) {
		uint32_t record = __atomic_load_n(&records[i], __ATOMIC_RELAXED);
		uintptr_t at = address_of(0, i, wide, record);

		if (BLOCK_TRACE(record))
			to[at >> shift] = (record & 0x0fffffff) | place_of(at, shift);
	}
}

/*
 * The page gets windows of @shift, or keeps narrower ones. Where it has wider ones, they are of an allocator that had
 * the page for itself: this caller, or one that has given it back. So nobody else writes to them while they are copied.
 */
static bool settle(uint64_t *slot, unsigned shift)
{
	uint64_t page = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

	while (!page || (page & SHIFT_MASK) > shift) {
		uint32_t *made = windows_new(shift);

		if (!made)
			return false;
		if (page)
			copy_records(page, made, shift);
		if (__atomic_compare_exchange_n(slot, &page, (uintptr_t)made | shift, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE)) {
			if (page)
				windows_reuse(windows_of(page), (unsigned)(page & SHIFT_MASK));
			break;
		}
		windows_reuse(made, shift);
	}
	return true;
}

static inline void store(uint64_t page, uintptr_t address, uint32_t record)
{
	uint32_t place = place_of(address, (unsigned)(page & SHIFT_MASK));

	__atomic_store_n(window_of(page, address), record | place, __ATOMIC_RELAXED);
}

static bool occupied(uint64_t page, uintptr_t address)
{
	uint32_t record = __atomic_load_n(window_of(page, address), __ATOMIC_RELAXED);

	return BLOCK_TRACE(record) && (record ^ place_of(address, (unsigned)(page & SHIFT_MASK))) >> 28;
}

/* Not the first that can begin in its window. */
static inline bool is_second(uintptr_t address)
{
	return crowded && address % (1u << WINDOWS_NARROWEST) != 0;
}

/* Before a record is there that shares its window. */
static inline void share(uintptr_t address)
{
	if (is_second(address))
		mark(blocks_regions[address >> REGION_SHIFT]->shared, address >> PAGE_SHIFT & (REGION_PAGES - 1));
}

/* May another's record stand where this block's would? */
static inline bool is_shared(uintptr_t address)
{
	uintptr_t page = address >> PAGE_SHIFT & (REGION_PAGES - 1);

	return is_second(address) ||
	       (crowded && __atomic_load_n(&blocks_regions[address >> REGION_SHIFT]->shared[page / 64],
					   __ATOMIC_RELAXED) >> page % 64 & 1);
}

/* The page has no windows yet, or too wide ones. */
static __attribute__((noinline)) bool put_first(uintptr_t address, uint32_t trace, unsigned wanted)
{
	uint64_t *slot = blocks_page_at(address);

	if (address >> ADDRESS_BITS || !may_map())
		return lose();
	if (!slot && !(slot = make_region(address)))
		return refuse();
	mark(blocks_regions[address >> REGION_SHIFT]->used, address >> PAGE_SHIFT & (REGION_PAGES - 1));
	if (!settle(slot, wanted))
		return refuse();
	share(address);
	store(__atomic_load_n(slot, __ATOMIC_ACQUIRE), address, trace);
	return true;
}

static __attribute__((noinline)) bool put_other(uintptr_t address, uint32_t trace)
{
	uint64_t page = blocks_page(address);

	if (!page || (page & SHIFT_MASK) > heap_shift)
		return put_first(address, trace, heap_shift);
	if (crowded && occupied(page, address))
		return lose();
	share(address);
	store(page, address, trace);
	return true;
}

bool blocks_put(uintptr_t address, uint32_t trace)
{
	uint64_t page = blocks_page(address);

	/* Where the compiler knows the shift. */
	if (unlikely(!blocks_glibc(page)))
		return put_other(address, trace);
	store((page & ~SHIFT_MASK) | BLOCKS_GLIBC_SHIFT, address, trace);
	return true;
}

static inline __attribute__((always_inline)) uint32_t record_at(uint64_t page, uintptr_t address)
{
	uint32_t record = __atomic_load_n(window_of(page, address), __ATOMIC_RELAXED) ^
			  place_of(address, (unsigned)(page & SHIFT_MASK));

	/* The place is right if nothing is left of it. */
	return likely(!(record >> 28)) && BLOCK_TRACE(record) ? record : BLOCK_NONE;
}

bool blocks_put_exclusive(uintptr_t address, uint32_t trace, unsigned spacing)
{
	unsigned wanted = 31 - (unsigned)__builtin_clz(spacing | 1u << WINDOWS_NARROWEST);
	uint64_t page = blocks_page(address);

	wanted = wanted > WINDOWS_WIDEST ? WINDOWS_WIDEST : wanted;
	if (likely(page && (page & SHIFT_MASK) <= wanted))
		store(page, address, trace);
	else if (page && record_at(page, address))
		return blocks_put(address, trace);
	else
		return put_first(address, trace, wanted);
	return true;
}

uint32_t blocks_get(uintptr_t address)
{
	uint64_t page = blocks_page(address);

	return page ? record_at(page, address) : BLOCK_NONE;
}

static inline __attribute__((always_inline)) uint32_t take(uint64_t page, uintptr_t address)
{
	uint32_t record = record_at(page, address);

	if (record)
		__atomic_store_n(window_of(page, address), 0, __ATOMIC_RELAXED);
	return record;
}

static __attribute__((noinline)) uint32_t take_other(uint64_t page, uintptr_t address)
{
	return page ? take(page, address) : BLOCK_NONE;
}

uint32_t blocks_take(uintptr_t address)
{
	uint64_t page = blocks_page(address);

	if (likely((page & SHIFT_MASK) == BLOCKS_GLIBC_SHIFT))
		return take((page & ~SHIFT_MASK) | BLOCKS_GLIBC_SHIFT, address);
	return take_other(page, address);
}

void blocks_drop_other(uintptr_t address)
{
	uint64_t page = blocks_page(address);

	/* Of a heap with many blocks the window is seldom in a cache: nobody waits for what is only written. */
	if ((page & SHIFT_MASK) == heap_shift && !is_shared(address))
		__atomic_store_n(window_of(page, address), BLOCK_NONE, __ATOMIC_RELAXED);
	else
		take_other(page, address);
}

void blocks_put_back(uintptr_t address, uint32_t record)
{
	uint64_t page = blocks_page(address);

	if (page && record)
		store(page, address, record);
}

bool blocks_flag(uintptr_t address)
{
	uint64_t page = blocks_page(address);
	uint32_t record = page ? record_at(page, address) : BLOCK_NONE;

	if (record)
		store(page, address, record | BLOCK_CODE);
	return record != BLOCK_NONE;
}

/* @page: its number. */
static uint64_t page_word(uintptr_t page)
{
	return blocks_page(page << PAGE_SHIFT);
}

/* The next page with windows, from page number @page upward; 0 past the last (the page at 0 is never anybody's heap).
 *  */
static uintptr_t page_from(uintptr_t page)
{
	const unsigned bits = REGION_SHIFT - PAGE_SHIFT;

	for (uintptr_t i = page >> bits; (i = marked_from(regions_used, i, REGIONS)) < REGIONS; page = ++i << bits) {
		const struct blocks_region *region = __atomic_load_n(&blocks_regions[i], __ATOMIC_ACQUIRE);
		uintptr_t in = i == page >> bits ? page & (REGION_PAGES - 1) : 0;

		for (; region && (in = marked_from(region->used, in, REGION_PAGES)) < REGION_PAGES; in++)
			if (page_word(i << bits | in))
				return i << bits | in;
	}
	return 0;
}

void blocks_each(bool (*visit)(void *argument, uintptr_t address, uint32_t record), void *argument)
{
	for (uintptr_t page = page_from(0); page; page = page_from(page + 1)) {
		uint64_t word = page_word(page);
		unsigned shift = (unsigned)(word & SHIFT_MASK);
		const uint32_t *records = windows_of(word);

		for (unsigned i = 0; i < windows_count(shift); i++) {
			uint32_t record = __atomic_load_n(&records[i], __ATOMIC_RELAXED);

			if (BLOCK_TRACE(record) && !visit(argument, address_of(page << PAGE_SHIFT, i, shift, record),
							  record & 0x0fffffff))
				return;
		}
	}
}

/* The last block of @page that begins at @address or before it, or 0. */
static uintptr_t last_in(uintptr_t page, uintptr_t address)
{
	uint64_t word = page_word(page);
	unsigned shift = (unsigned)(word & SHIFT_MASK), i;

	if (!word)
		return 0;
	i = address >> PAGE_SHIFT == page ? (unsigned)((address & PAGE_MASK) >> shift) + 1 : windows_count(shift);
	while (i-- > 0) {
		uint32_t record = __atomic_load_n(&windows_of(word)[i], __ATOMIC_RELAXED);
		uintptr_t start = address_of(page << PAGE_SHIFT, i, shift, record);

		if (BLOCK_TRACE(record) && start <= address)
			return start;
	}
	return 0;
}

uintptr_t blocks_at_or_before(uintptr_t address, size_t reach)
{
	const unsigned bits = REGION_SHIFT - PAGE_SHIFT;
	uintptr_t least = address > reach ? address - reach : 0, page = address >> PAGE_SHIFT, found;

	if (address >> ADDRESS_BITS)
		return 0;
	while (page >= least >> PAGE_SHIFT) {
		if (!__atomic_load_n(&blocks_regions[page >> bits], __ATOMIC_ACQUIRE)) {
			page = page >> bits << bits;
		} else {
			found = last_in(page, address);
			if (found)
				return found >= least ? found : 0;
		}
		if (page-- == 0)
			break;
	}
	return 0;
}

void blocks_measure(size_t (*usable)(uintptr_t address))
{
	size_of = usable;
}

size_t blocks_usable(uintptr_t address)
{
	return size_of ? size_of(address) : 0;
}

void blocks_restrict(const char *reason, bool none)
{
	if (!restricted) {
		restricted = reason;
		nothing = none;
	}
}

const char *blocks_state(bool *none)
{
	static char text[128];
	uint64_t missing = blocks_lost();

	*none = nothing;
	if (restricted || !missing)
		return restricted;
	snprintf(text, sizeof(text), "%llu blocks could not be recorded: no memory for the table, or too close together",
		 (unsigned long long)missing);
	return text;
}

uint64_t blocks_lost(void)
{
	return __atomic_load_n(&lost, __ATOMIC_RELAXED);
}

size_t blocks_memory(void)
{
	return windows_mapped();
}
