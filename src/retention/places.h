/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places.h - which block lies at an address: mark.c's, in its own code because it asks for each word. A word leads to a
 * region (64 MiB), that to a group of pages, that to a page, whose bits are counted: it has no need of the blocks
 * themselves. What is known of a region or a group stays in the processor's caches; a page is one line.
 */
#ifndef RETENTION_PLACES_H
#define RETENTION_PLACES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/address.h"

#define PLACES_PAGE_SHIFT 12u
#define PLACES_REGION_SHIFT 26u
#define PLACES_GRANULE_SHIFT 4u
#define PLACES_GROUPS (1u << (PLACES_REGION_SHIFT - PLACES_PAGE_SHIFT - 6))
#define PLACES_LOW_BITS 11u      /* of a region's number */
#define PLACES_LOW_COUNT (1u << PLACES_LOW_BITS)
#define PLACES_HIGH_COUNT (1u << (ADDRESS_BITS - PLACES_REGION_SHIFT - PLACES_LOW_BITS))
#define PLACES_SETTLED 128u

/* Where blocks begin, a bit for each 16 bytes. */
struct place_page {
	uint64_t bits[4];
	uint32_t base;            /* the first block that begins here or later: the one before it may reach into the page */
	uint16_t count;           /* that begin here */
	uint8_t rank[4];          /* bits before each of the four */
	bool crowded;             /* the bits do not say it: a block begins between two of them */
	uint64_t settled[2];      /* a bit for each of the first that begin here, for the caller */
} __attribute__((aligned(64)));

/* Where one block covers it all, there is no region but that block's number * 2 + 1. */
struct place_region {
	struct {
		uint64_t there;   /* pages with bytes of blocks */
		uint64_t used;    /* of blocks that matter: at first all of these */
		uint32_t base;    /* number of the first that is there, among all pages */
	} group[PLACES_GROUPS];
};

struct places {
	struct place_region ***regions;   /* in two steps */
	struct place_page *page;          /* [page_count] ascending */
	void *memory;
	uint32_t page_count, page_room;
};

/* places_open - so that the others can be asked even if no block was added. places_add - block @block, one more than
 * the last one, lies at [@start, @start + @size), above it and below ADDRESS_BITS. Return: 0 or -ENOMEM. */
int places_open(struct places *places);
int places_add(struct places *places, uint32_t block, uintptr_t start, size_t size);

/* places_forget - no page is used, nothing is settled. places_use - pages of [@start, @end) are. */
void places_forget(struct places *places);
void places_use(struct places *places, uintptr_t start, uintptr_t end);

void places_finish(struct places *places);

/* place_region - of an address below ADDRESS_BITS; NULL: no block is near. place_is_block - it is no region, but
 * place_block is the block that covers it. */
static inline struct place_region *place_region(const struct places *places, uintptr_t address)
{
	struct place_region **low = places->regions[address >> (PLACES_REGION_SHIFT + PLACES_LOW_BITS)];

	return low ? low[address >> PLACES_REGION_SHIFT & (PLACES_LOW_COUNT - 1)] : NULL;
}

static inline bool place_is_block(const struct place_region *region)
{
	return (uintptr_t)region & 1;
}

static inline uint32_t place_block(const struct place_region *region)
{
	return (uint32_t)((uintptr_t)region >> 1);
}

/* place_group - of a page. place_bit - which it is there. */
static inline unsigned place_group(uintptr_t address)
{
	return address >> (PLACES_PAGE_SHIFT + 6) & (PLACES_GROUPS - 1);
}

static inline uint64_t place_bit(uintptr_t address)
{
	return UINT64_C(1) << (address >> PLACES_PAGE_SHIFT & 63);
}

static inline bool place_there(const struct place_region *region, uintptr_t address)
{
	return region->group[place_group(address)].there & place_bit(address);
}

static inline bool place_used(const struct place_region *region, uintptr_t address)
{
	return region->group[place_group(address)].used & place_bit(address);
}

/* Not every processor has an instruction for it, and libgcc's function is slow. */
static inline unsigned place_count(uint64_t bits)
{
	bits -= bits >> 1 & 0x5555555555555555;
	bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
	return (unsigned)(((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f) * 0x0101010101010101 >> 56);
}

/* place_page - where there is one. */
static inline struct place_page *place_page(const struct places *places, const struct place_region *region,
					    uintptr_t address)
{
	__auto_type group = &region->group[place_group(address)];

	return &places->page[group->base + place_count(group->there & (place_bit(address) - 1))];
}

/* place_before - the last block that begins at @address or before it, UINT32_MAX if there is none. Only if the page is
 * not crowded; else it is one of those from base - 1 to base + count - 1. */
static inline uint32_t place_before(const struct place_page *page, uintptr_t address)
{
	unsigned granule = address >> PLACES_GRANULE_SHIFT & 255;

	return page->base + page->rank[granule / 64] + place_count(page->bits[granule / 64] << (63 - granule % 64)) - 1;
}

/* place_settled - is the block settled in its page's eyes? place_settle - it is, if the page can tell. */
static inline bool place_settled(const struct place_page *page, uint32_t block)
{
	uint32_t at = block - page->base;

	return at < PLACES_SETTLED && page->settled[at / 64] >> at % 64 & 1;
}

static inline void place_settle(struct place_page *page, uint32_t block)
{
	uint32_t at = block - page->base;

	if (at < PLACES_SETTLED)
		page->settled[at / 64] |= UINT64_C(1) << at % 64;
}

#endif
