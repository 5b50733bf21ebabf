/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE ((uintptr_t)1 << PLACES_PAGE_SHIFT)
#define REGION ((uintptr_t)1 << PLACES_REGION_SHIFT)
#define REGIONS ((size_t)1 << (ADDRESS_BITS - PLACES_REGION_SHIFT))
#define LINE sizeof(struct place_page)

static uintptr_t next_page(uintptr_t address)
{
	return (address | (PAGE - 1)) + 1;
}

/* Where what is known of @address' region stands, or NULL: no memory. */
static struct place_region **region_slot(struct places *places, uintptr_t address)
{
	struct place_region ***low;

	if (places_open(places) < 0)
		return NULL;
	low = &places->regions[address >> (PLACES_REGION_SHIFT + PLACES_LOW_BITS)];
	if (!*low)
		*low = calloc(PLACES_LOW_COUNT, sizeof(**low));
	return *low ? &(*low)[address >> PLACES_REGION_SHIFT & (PLACES_LOW_COUNT - 1)] : NULL;
}

int places_open(struct places *places)
{
	if (!places->regions)
		places->regions = calloc(PLACES_HIGH_COUNT, sizeof(*places->regions));
	return places->regions ? 0 : -ENOMEM;
}

/* Each stays one line of the cache, wherever the allocator puts them. */
static bool enlarge(struct places *places)
{
	uint32_t room = places->page_room ? 2 * places->page_room : 32;
	size_t before = places->memory ? (size_t)((char *)places->page - (char *)places->memory) : 0, now;
	char *larger = room <= places->page_room ? NULL : realloc(places->memory, room * LINE + LINE);

	if (!larger)
		return false;
	now = -(uintptr_t)larger % LINE;
	if (now != before && places->page_count)
		memmove(larger + now, larger + before, places->page_count * LINE);
	places->memory = larger;
	places->page = (struct place_page *)(larger + now);
	places->page_room = room;
	return true;
}

/* The page at @address; one that is new has @block, or what comes after it, as its first. NULL: no memory. */
static struct place_page *page_at(struct places *places, struct place_region *region, uintptr_t address, uint32_t block)
{
	unsigned group = place_group(address);

	if (!place_there(region, address)) {
		if (places->page_count == places->page_room && !enlarge(places))
			return NULL;
		if (!region->group[group].there)
			region->group[group].base = places->page_count;
		region->group[group].there |= place_bit(address);
		region->group[group].used |= place_bit(address);
		places->page[places->page_count++] = (struct place_page){ .base = block };
	}
	return place_page(places, region, address);
}

static bool begin_in(struct places *places, struct place_region *region, uint32_t block, uintptr_t start)
{
	struct place_page *page = page_at(places, region, start, block);
	unsigned granule = start >> PLACES_GRANULE_SHIFT & 255;
	uint64_t bit = UINT64_C(1) << granule % 64;

	if (!page)
		return false;
	page->crowded |= start % (1u << PLACES_GRANULE_SHIFT) || (page->bits[granule / 64] & bit);
	page->bits[granule / 64] |= bit;
	page->count++;
	for (unsigned i = granule / 64 + 1; i < 4; i++)
		page->rank[i]++;
	return true;
}

int places_add(struct places *places, uint32_t block, uintptr_t start, size_t size)
{
	uintptr_t end = start + size, from = start, next;

	do {
		struct place_region **slot = region_slot(places, from);

		next = (from | (REGION - 1)) + 1;
		if (!slot)
			return -ENOMEM;
		if (from % REGION == 0 && end >= next) {
			*slot = (struct place_region *)((uintptr_t)block << 1 | 1);
			continue;
		}
		if (!*slot && !(*slot = calloc(1, sizeof(**slot))))
			return -ENOMEM;
		if (from == start && !begin_in(places, *slot, block, start))
			return -ENOMEM;
		for (from = from == start ? next_page(from) : from; from < end && from < next; from += PAGE)
			if (!page_at(places, *slot, from, block + 1))
				return -ENOMEM;
	} while ((from = next) < end);
	return 0;
}

/* The next region of its own from number *@number on; NULL: none is left. */
static struct place_region *next_region(const struct places *places, size_t *number)
{
	while (places->regions && *number < REGIONS) {
		struct place_region **low = places->regions[*number >> PLACES_LOW_BITS], *region;

		if (!low) {
			*number = ((*number >> PLACES_LOW_BITS) + 1) << PLACES_LOW_BITS;
			continue;
		}
		region = low[(*number)++ & (PLACES_LOW_COUNT - 1)];
		if (region && !place_is_block(region))
			return region;
	}
	return NULL;
}

void places_forget(struct places *places)
{
	struct place_region *region;
	size_t number = 0;

	for (uint32_t i = 0; i < places->page_count; i++)
		memset(places->page[i].settled, 0, sizeof(places->page[i].settled));
	while ((region = next_region(places, &number)))
		for (unsigned i = 0; i < PLACES_GROUPS; i++)
			region->group[i].used = 0;
}

void places_use(struct places *places, uintptr_t start, uintptr_t end)
{
	for (; start < end; start = next_page(start)) {
		struct place_region *region = place_region(places, start);

		if (!place_is_block(region))
			region->group[place_group(start)].used |= place_bit(start);
		else
			start |= REGION - 1;
	}
}

void places_finish(struct places *places)
{
	struct place_region *region;
	size_t number = 0;

	while ((region = next_region(places, &number)))
		free(region);
	for (size_t i = 0; places->regions && i < PLACES_HIGH_COUNT; i++)
		free(places->regions[i]);
	free(places->regions);
	free(places->memory);
	memset(places, 0, sizeof(*places));
}
