/* SPDX-License-Identifier: Apache-2.0 */
/* The table of live blocks: against a model, with windows of every width, with many threads in one page, without
 * memory. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "base/os.h"
#include "ledger/blocks_fast.h"
#include "ledger/blocks_pooled.h"
#include "ledger/claim.h"
#include "ledger/traces.h"

#define HEAP ((uintptr_t)0x555500000000)
#define PAGE ((uintptr_t)4096)
#define THREADS 4u

/* The linker puts this in front of the real one. */
void *__real_os_map(size_t size);
void *__wrap_os_map(size_t size);
static bool poor;

void *__wrap_os_map(size_t size)
{
	return __atomic_load_n(&poor, __ATOMIC_RELAXED) ? NULL : __real_os_map(size);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct listing {
	uintptr_t last, from, to;
	uint64_t count, sum;
};

static bool add(void *argument, uintptr_t address, uint32_t record)
{
	struct listing *listing = argument;

	CHECK(address > listing->last);
	listing->last = address;
	if (address >= listing->from && address < listing->to) {
		listing->count++;
		listing->sum += address ^ (uint64_t)record << 32;
	}
	return true;
}

static struct listing list(uintptr_t from, uintptr_t to)
{
	struct listing listing = { .from = from, .to = to };

	blocks_each(add, &listing);
	return listing;
}

static void a_record_is_its_blocks(void)
{
	uintptr_t block = HEAP + 0x10;

	errno = 77;
	CHECK(blocks_get(block) == BLOCK_NONE && blocks_take(block) == BLOCK_NONE && blocks_take(0) == BLOCK_NONE);
	CHECK(blocks_put(block, 5) && blocks_get(block) == 5);
	CHECK(blocks_get(block - 16) == BLOCK_NONE && blocks_get(block + 16) == BLOCK_NONE);
	CHECK(blocks_take(block - 16) == BLOCK_NONE && blocks_take(block + 4) == BLOCK_NONE && blocks_get(block) == 5);
	CHECK(blocks_flag(block) && blocks_get(block) == (5 | BLOCK_CODE) && !blocks_flag(block + 32));
	CHECK(blocks_put(block, 0x7ffffff) && blocks_get(block) == 0x7ffffff);
	CHECK(blocks_flag(block) && blocks_take(block) == 0xfffffff && blocks_take(block) == BLOCK_NONE);
	blocks_put_back(block, 0xfffffff);
	CHECK(blocks_get(block) == 0xfffffff);
	blocks_put_back(block + 32, BLOCK_NONE);
	CHECK(list(HEAP, HEAP + PAGE).count == 1);
	/* The block was freed where nobody saw it, and another begins nearby. */
	CHECK(blocks_put(block - 16, 6) && blocks_get(block) == BLOCK_NONE && blocks_get(block - 16) == 6);
	CHECK(blocks_take(block - 16) == 6 && list(HEAP, HEAP + PAGE).count == 0);
	CHECK(errno == 77 && blocks_lost() == 0 && blocks_memory() > 0);
}

/* On the stack, near the end of what the kernel gives; right below that end; and beyond. */
static void wherever_the_kernel_gives_memory(void)
{
	_Alignas(64) char here[64];
	uintptr_t end = (uintptr_t)1 << ADDRESS_BITS;

	CHECK(blocks_put((uintptr_t)here, 7) && blocks_take((uintptr_t)here) == 7);
	CHECK(blocks_put(end - 32, 8) && blocks_get(end - 32) == 8 && blocks_take(end - 32) == 8);
	CHECK(blocks_get(end) == BLOCK_NONE && blocks_at_or_before(end, 64) == 0);
}

static void windows_of_any_width(void)
{
	for (unsigned spacing = 16; spacing <= 512; spacing += 16) {
		uintptr_t pool = HEAP + 0x100000 + spacing * 0x1000;

		for (uintptr_t at = pool + 48; at + spacing <= pool + PAGE; at += spacing)
			CHECK(blocks_put_exclusive(at, (uint32_t)(at & 0xfff) + 1, spacing));
		for (uintptr_t at = pool + 48; at + spacing <= pool + PAGE; at += spacing)
			CHECK(blocks_get(at) == (at & 0xfff) + 1 && (spacing == 16 || blocks_get(at + 16) == BLOCK_NONE));
		CHECK(list(pool, pool + PAGE).count == (PAGE - 48) / spacing);
		for (uintptr_t at = pool + 48; at + spacing <= pool + PAGE; at += spacing) {
			CHECK(blocks_drop_plain(at) && !blocks_drop_plain(at));
			blocks_put_pooled(at, 9, spacing);
			CHECK(blocks_get(at) == 9 && (spacing == 16 || !blocks_drop_plain(at + 16)));
		}
	}
}

/* The same page, for ever smaller blocks: what lives on stays where it was. */
static void too_wide_windows_are_split(void)
{
	uintptr_t pool = HEAP + 0x400000;
	size_t memory;

	CHECK(blocks_put_exclusive(pool + 48, 1, 512) && blocks_put_exclusive(pool + 48 + 512, 2, 512));
	CHECK(blocks_flag(pool + 48));
	CHECK(blocks_put_exclusive(pool + 160, 3, 64) && blocks_put_exclusive(pool + 96, 4, 48));
	CHECK(blocks_put_exclusive(pool + 80, 5, 16) && blocks_put_exclusive(pool + 64, 6, 16));
	CHECK(blocks_get(pool + 48) == (1 | BLOCK_CODE) && blocks_get(pool + 560) == 2 && blocks_get(pool + 160) == 3);
	CHECK(blocks_get(pool + 96) == 4 && blocks_get(pool + 80) == 5 && blocks_get(pool + 64) == 6);
	CHECK(list(pool, pool + PAGE).count == 6);
	/* Arrays given back serve again. */
	memory = blocks_memory();
	for (unsigned i = 1; i < 2000; i++) {
		CHECK(blocks_put_exclusive(pool + i * PAGE + 16, i, 256) && blocks_put_exclusive(pool + i * PAGE + 48, i, 16));
		CHECK(blocks_take(pool + i * PAGE + 16) == i && blocks_take(pool + i * PAGE + 48) == i);
	}
	CHECK(blocks_memory() - memory < 2000 * 1024 + ((size_t)1 << 20));
	/* The page goes back to the kernel and comes as glibc's: nothing is lost, windows of 32 are narrow enough. */
	CHECK(blocks_put_exclusive(pool - PAGE + 256, 7, 256));
	CHECK(blocks_put(pool - PAGE + 32, 8) && blocks_put(pool - PAGE + 64, 9) && blocks_get(pool - PAGE + 256) == 7);
	CHECK(list(pool - PAGE, pool).count == 3 && blocks_lost() == 0);
}

/* What is in an allocator's own pages, and what malloc has served for it. */
static void the_short_way(void)
{
	uintptr_t pool = HEAP + 0x300000, heap = HEAP + 0x304000;

	blocks_put_pooled(pool + 64, 1, 64);
	CHECK(blocks_get(pool + 64) == 1 && blocks_flag(pool + 64) && !blocks_drop_plain(pool + 64));
	CHECK(blocks_take(pool + 64) == (1 | BLOCK_CODE) && !blocks_drop_plain(pool + 64));
	CHECK(!blocks_drop_plain(heap + 32) && !blocks_drop_plain((uintptr_t)1 << 47));
	CHECK(blocks_put(heap + 32, 2) && blocks_put(heap + 64, 3));
	size_t memory = blocks_memory();
	blocks_put_pooled(heap + 64, 4, 16); /* narrower windows would not be for this caller to make */
	CHECK(blocks_get(heap + 64) == 4 && blocks_get(heap + 32) == 2 && blocks_memory() == memory);
	CHECK(blocks_drop_plain(heap + 64) && blocks_take(heap + 32) == 2);
}

/* A random life of a heap in blocks of 32 to 160 bytes, written down twice. */
static void as_the_model_says(void)
{
	enum { PLACES = 1 << 16, STEPS = 1000000 };
	uint32_t *model = calloc(PLACES, sizeof(*model));
	uintptr_t heap = HEAP + ((uintptr_t)3 << 29) - PLACES * 16; /* across the border of two regions */
	struct listing expected = { .from = heap, .to = heap + PLACES * 32 }, found;
	uint64_t state = 20261124;

	CHECK(model);
	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t random = next_random(&state);
		unsigned place = (unsigned)(random >> 20) % PLACES;
		uintptr_t block = heap + place * 32 + (place & 1) * 16;

		/* By either way, the wrappers' own or the function's. */
		if (model[place]) {
			CHECK(blocks_get(block) == model[place]);
			if (i & 1)
				blocks_drop(block);
			else
				CHECK(blocks_take(block) == model[place]);
			CHECK(blocks_get(block) == BLOCK_NONE);
			model[place] = 0;
		} else {
			model[place] = (uint32_t)(random >> 37) | 1;
			if (i & 2)
				blocks_put_fast(block, model[place]);
			else
				CHECK(blocks_put(block, model[place]));
		}
	}
	for (unsigned place = 0; place < PLACES; place++) {
		uintptr_t block = heap + place * 32 + (place & 1) * 16;

		if (model[place])
			expected.count++, expected.sum += block ^ (uint64_t)model[place] << 32;
	}
	found = list(expected.from, expected.to);
	CHECK(found.count == expected.count && found.sum == expected.sum);
	for (unsigned i = 0; i < 20000; i++) {
		uintptr_t at = heap + 65536 + next_random(&state) % (PLACES * 32 - 65536), wanted = 0;
		size_t reach = next_random(&state) % 300;

		for (uintptr_t try = at; try + reach >= at && !wanted; try--)
			wanted = try % 16 == 0 && blocks_get(try) ? try : 0;
		CHECK(blocks_at_or_before(at, reach) == wanted);
	}
	for (unsigned place = 0; place < PLACES; place++)
		CHECK(blocks_take(heap + place * 32 + (place & 1) * 16) == model[place]);
	free(model);
}

static void far_before(void)
{
	uintptr_t lone = HEAP - ((uintptr_t)40 << 30) + 48;

	CHECK(blocks_put(lone, 3));
	CHECK(blocks_at_or_before(lone + ((uintptr_t)5 << 30), (size_t)6 << 30) == lone);
	CHECK(blocks_at_or_before(lone + ((uintptr_t)5 << 30), (size_t)4 << 30) == 0);
	CHECK(blocks_at_or_before(lone - 1, SIZE_MAX) == 0 && blocks_at_or_before(lone, 0) == lone);
	CHECK(blocks_at_or_before(UINTPTR_MAX, 5) == 0 && blocks_take(lone) == 3);
}

static void *in_one_page(void *argument)
{
	unsigned own = (unsigned)(uintptr_t)argument;
	uint64_t state = own + 1;

	for (unsigned i = 0; i < 100000; i++) {
		unsigned window = (unsigned)(next_random(&state) % 8192) / THREADS * THREADS + own;
		uintptr_t block = HEAP + ((uintptr_t)9 << 30) + window * 32 + (i & 1) * 16;

		CHECK(blocks_put(block, window + 1) && blocks_get(block) == window + 1);
		CHECK(i % 1000 == 0 || blocks_take(block) == window + 1);
	}
	return NULL;
}

static void threads_share_pages(void)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, in_one_page, (void *)i) == 0);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(blocks_lost() == 0);
}

/* Arrays are taken and given back by all threads at once: none is ever in two pages. */
static void *split_own_pages(void *argument)
{
	uintptr_t heap = HEAP + ((uintptr_t)10 << 30) + (uintptr_t)argument * PAGE;

	for (uintptr_t i = 0; i < 20000; i++) {
		uintptr_t page = heap + i * PAGE * THREADS;

		for (unsigned spacing = 256; spacing >= 16; spacing /= 2)
			CHECK(blocks_put_exclusive(page + spacing, (uint32_t)(i << 8 | spacing >> 4), spacing));
		for (unsigned spacing = 256; spacing >= 16; spacing /= 2)
			CHECK(blocks_take(page + spacing) == (i << 8 | spacing >> 4));
	}
	return NULL;
}

static void threads_share_arrays(void)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, split_own_pages, (void *)i) == 0);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(list(HEAP + ((uintptr_t)10 << 30), HEAP + ((uintptr_t)12 << 30)).count == 0);
}

static void what_cannot_be_recorded_is_counted(void)
{
	uintptr_t nowhere = HEAP + ((uintptr_t)20 << 30);
	uint64_t lost = blocks_lost();
	const char *state;
	bool none;

	CHECK(!blocks_state(&none));
	CHECK(!blocks_put((uintptr_t)1 << 47, 1) && !blocks_put_exclusive(UINTPTR_MAX - 63, 1, 64));
	CHECK(blocks_take((uintptr_t)1 << 47) == BLOCK_NONE && !blocks_flag(UINTPTR_MAX));
	CHECK(blocks_lost() == lost + 2);
	errno = 77;
	__atomic_store_n(&poor, true, __ATOMIC_RELAXED);
	CHECK(!blocks_put(nowhere, 1) && !blocks_put(nowhere + 32, 1) && blocks_lost() == lost + 4);
	CHECK(blocks_take(nowhere) == BLOCK_NONE && errno == 77);
	__atomic_store_n(&poor, false, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 2000 && !blocks_put(nowhere, 1); i++)
		;
	CHECK(blocks_get(nowhere) == 1 && blocks_lost() < lost + 1100);
	state = blocks_state(&none);
	CHECK(state && strstr(state, "blocks could not be recorded") && !none);
	blocks_restrict("a reason", true);
	blocks_restrict("another", false);
	CHECK(strcmp(blocks_state(&none), "a reason") == 0 && none);
}

/* An allocator that packs blocks of 8 bytes: of two in one window the second is lost, never the first. */
static void crowded_heaps(void)
{
	uintptr_t heap = HEAP + ((uintptr_t)21 << 30);
	uint64_t lost = blocks_lost();

	CHECK(blocks_put(heap + 64, 4));
	blocks_init(8);
	CHECK(blocks_put(heap, 1) && !blocks_put(heap + 8, 2) && blocks_put(heap + 16, 3));
	CHECK(blocks_get(heap) == 1 && blocks_get(heap + 8) == BLOCK_NONE && blocks_get(heap + 16) == 3);
	CHECK(blocks_lost() == lost + 1 && blocks_take(heap) == 1 && blocks_put(heap + 8, 2) && blocks_get(heap + 8) == 2);
	CHECK(blocks_get(heap + 64) == 4 && list(heap, heap + PAGE).count == 3);
	/* Nothing but its own record goes with a block, and none is put over another's. */
	blocks_drop(heap + 24);
	blocks_put_fast(heap + 24, 7);
	CHECK(blocks_get(heap + 16) == 3 && blocks_get(heap + 24) == BLOCK_NONE && blocks_lost() == lost + 2);
	blocks_drop(heap + 16);
	CHECK(blocks_get(heap + 16) == BLOCK_NONE && blocks_put(heap + 24, 7));
	blocks_drop(heap + 16);
	CHECK(blocks_get(heap + 24) == 7 && blocks_take(heap + 24) == 7 && blocks_put(heap + 16, 3));
	/* Nor where no block is known that is not the first of its window. */
	blocks_put_fast(heap + PAGE + 32, 8);
	blocks_drop(heap + PAGE + 40);
	CHECK(blocks_get(heap + PAGE + 32) == 8);
	blocks_drop(heap + PAGE + 32);
	CHECK(blocks_get(heap + PAGE + 32) == BLOCK_NONE);
	blocks_init(16);
	CHECK(blocks_put(heap, 5) && blocks_get(heap + 8) == BLOCK_NONE);
	blocks_init(32);
	CHECK(blocks_put(heap + 48, 6) && list(heap, heap + PAGE).count == 4);
}

/* The block that was asked for has the claim's leaf, however many came on the way; all others have malloc's or what is
 * put for them. */
static void a_claim_is_the_blocks(void)
{
	const uintptr_t heap = HEAP + (UINT64_C(9) << 30), block = heap, other = heap + 64, third = heap + 128;
	uint32_t plain = traces_leaf(TRACE_ROOT, TRACE_MALLOC), leaf = plain + 1000;
	struct claim outer, inner;

	CHECK(!claim_take(block) && blocks_get(block) == BLOCK_NONE);
	outer = claim_begin(leaf);
	CHECK(claim_take(block));
	claim_end(outer, block, leaf);
	CHECK(blocks_take(block) == leaf);
	/* One that is not malloc's; none at all. */
	outer = claim_begin(leaf);
	claim_end(outer, block, leaf);
	CHECK(blocks_take(block) == leaf);
	outer = claim_begin(leaf);
	claim_end(outer, 0, leaf);
	CHECK(!claim_take(block));
	/* Another comes first, and stays or is freed meanwhile. */
	for (int freed = 0; freed < 2; freed++) {
		outer = claim_begin(leaf);
		CHECK(claim_take(other) && !claim_take(block));
		blocks_put(block, 7);
		if (freed)
			blocks_drop(other);
		claim_end(outer, block, leaf);
		CHECK(blocks_take(block) == leaf && blocks_take(other) == (freed ? BLOCK_NONE : plain));
	}
	/* Another comes later; the block itself was freed and came again. */
	outer = claim_begin(leaf);
	CHECK(claim_take(block) && !claim_take(other));
	blocks_put(other, 7);
	claim_end(outer, block, leaf);
	CHECK(blocks_take(block) == leaf && blocks_take(other) == 7);
	outer = claim_begin(leaf);
	CHECK(claim_take(block));
	blocks_drop(block);
	CHECK(!claim_take(block));
	blocks_put(block, 7);
	claim_end(outer, block, leaf);
	CHECK(blocks_take(block) == leaf);
	/* One inside another. */
	outer = claim_begin(leaf);
	inner = claim_begin(leaf + 1);
	CHECK(claim_take(other));
	claim_end(inner, other, leaf + 1);
	CHECK(claim_take(block));
	claim_end(outer, block, leaf);
	CHECK(blocks_take(block) == leaf && blocks_take(other) == leaf + 1 && blocks_get(third) == BLOCK_NONE);
}

static size_t hundred(uintptr_t address)
{
	return address ? 100 : 0;
}

int main(void)
{
	CHECK(blocks_usable(HEAP) == 0);
	blocks_measure(hundred);
	CHECK(blocks_usable(HEAP) == 100);
	a_record_is_its_blocks();
	wherever_the_kernel_gives_memory();
	windows_of_any_width();
	too_wide_windows_are_split();
	the_short_way();
	as_the_model_says();
	far_before();
	threads_share_pages();
	threads_share_arrays();
	what_cannot_be_recorded_is_counted();
	crowded_heaps();
	a_claim_is_the_blocks();
	return 0;
}
