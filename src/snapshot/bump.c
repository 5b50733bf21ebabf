/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* mremap flags */
#include "snapshot/bump.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "base/os.h"

#define PAGE ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20)
#define CHUNK_LEAST HUGE_PAGE
#define CHUNK_MOST ((size_t)256 << 20)
#define CHUNKS 256u
#define LARGES 1024u
#define SPARES 32u

/* Right before every block. */
struct header {
	size_t size;  /* usable bytes */
	size_t span;  /* large: bytes of the mapping; small: 0 */
};

struct chunk {
	char *start, *end;
	char *touched;  /* highest byte ever handed out: above it memory is still zero */
};

static struct {
	uint64_t limit, mapped;
	void (*exhausted)(void);
	struct chunk chunks[CHUNKS];
	unsigned chunk_count;
	char *next;          /* in the last chunk */
	void *larges[LARGES];
	unsigned large_count;
	struct header *spares[SPARES];  /* large mappings given back: touched memory is dear to get anew */
	unsigned spare_count;
} bump;

void bump_open(uint64_t limit, void (*exhausted)(void))
{
	bump.limit = limit;
	bump.exhausted = exhausted;
}

uint64_t bump_mapped(void)
{
	return bump.mapped;
}

static struct header *header_of(const void *block)
{
	return (struct header *)block - 1;
}

static void *refuse(void)
{
	if (bump.exhausted)
		bump.exhausted();
	return NULL;
}

static bool huge(size_t size)
{
	return size >= HUGE_PAGE;
}

/* Faulting in a heap page by page is a good part of an analysis' time, and so are the caches of addresses. */
static void advise_huge(void *memory, size_t size)
{
	os_call(SYS_madvise, (long)memory, (long)size, MADV_HUGEPAGE, 0, 0, 0);
}

/* At a multiple of HUGE_PAGE, so that the kernel can use such pages throughout, and can move them whole. */
static void *map_aligned(size_t size)
{
	char *memory = os_map(size + HUGE_PAGE), *start;

	if (!memory)
		return os_map(size);
	start = (char *)(((uintptr_t)memory + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
	if (start > memory)
		os_unmap(memory, (size_t)(start - memory));
	os_unmap(start + size, (size_t)(memory + HUGE_PAGE - start));
	return start;
}

static void unmap(struct header *header)
{
	bump.mapped -= header->span;
	os_unmap(header, header->span);
}

/* Return: is there room under the cap for @size bytes more? */
static bool permitted(size_t size)
{
	while (bump.limit && (size > bump.limit || bump.mapped > bump.limit - size)) {
		if (bump.spare_count == 0)
			return false;
		unmap(bump.spares[--bump.spare_count]);
	}
	return true;
}

static void *map(size_t size)
{
	void *memory;

	if (!permitted(size))
		return NULL;
	memory = huge(size) ? map_aligned(size) : os_map(size);
	if (!memory && bump.spare_count) {
		unmap(bump.spares[--bump.spare_count]);
		return map(size);
	}
	if (!memory)
		return NULL;
	bump.mapped += size;
	if (huge(size))
		advise_huge(memory, size);
	return memory;
}

static unsigned large_find(const void *block)
{
	unsigned i = __atomic_load_n(&bump.large_count, __ATOMIC_ACQUIRE);

	if (((uintptr_t)block & (PAGE - 1)) != sizeof(struct header))
		return LARGES;
	while (i-- > 0) {
		if (bump.larges[i] == block)
			return i;
	}
	return LARGES;
}

static const struct chunk *chunk_find(const void *block)
{
	const char *address = block;

	for (unsigned i = __atomic_load_n(&bump.chunk_count, __ATOMIC_ACQUIRE); i-- > 0;) {
		if (address >= bump.chunks[i].start && address < bump.chunks[i].end)
			return &bump.chunks[i];
	}
	return NULL;
}

bool bump_owns(const void *block)
{
	return chunk_find(block) || large_find(block) < LARGES;
}

size_t bump_size(const void *block)
{
	return header_of(block)->size;
}

/* A tail that a huge page would serve as cheaply as its small ones gets one: the kernel makes it in the time of a
 * hundred of these. */
static size_t span_of(size_t size)
{
	size_t span = (size + sizeof(struct header) + PAGE - 1) & ~(PAGE - 1);

	if (span >= BUMP_LARGE && span % HUGE_PAGE > HUGE_PAGE / 4)
		span = (span + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	return span;
}

/* The smallest spare that holds @span without wasting as much, or NULL. */
static struct header *reuse(size_t span)
{
	unsigned best = SPARES;
	struct header *header;

	for (unsigned i = 0; i < bump.spare_count; i++)
		if (bump.spares[i]->span >= span && bump.spares[i]->span / 2 < span &&
		    (best == SPARES || bump.spares[i]->span < bump.spares[best]->span))
			best = i;
	if (best == SPARES)
		return NULL;
	header = bump.spares[best];
	bump.spares[best] = bump.spares[--bump.spare_count];
	return header;
}

static void give_back(struct header *header)
{
	if (bump.spare_count == SPARES)
		unmap(header);
	else
		bump.spares[bump.spare_count++] = header;
}

static void *large_alloc(size_t size, bool zero)
{
	size_t span = span_of(size);
	/* Whoever wants zeroes often touches few of them: those the kernel gives for less. */
	struct header *header = zero ? NULL : reuse(span);

	if (!header) {
		header = map(span);
		if (!header)
			return NULL;
		header->size = span - sizeof(*header);
		header->span = span;
	}
	bump.larges[bump.large_count] = header + 1;
	__atomic_store_n(&bump.large_count, bump.large_count + 1, __ATOMIC_RELEASE);
	return header + 1;
}

/* Chunks grow with the heap, and shrink again where little address space is left (ulimit -v). */
static bool chunk_add(size_t least)
{
	size_t wanted = bump.mapped / 4 / CHUNK_LEAST * CHUNK_LEAST;
	struct chunk *chunk = &bump.chunks[bump.chunk_count];

	if (bump.chunk_count == CHUNKS)
		return false;
	wanted = wanted < CHUNK_LEAST ? CHUNK_LEAST : wanted > CHUNK_MOST ? CHUNK_MOST : wanted;
	least = (least + PAGE - 1) & ~(PAGE - 1);
	if (wanted < least)
		wanted = least;
	while (!(chunk->start = map(wanted))) {
		if (wanted == least)
			return false;
		wanted = wanted / 2 / PAGE * PAGE;
		if (wanted < least)
			wanted = least;
	}
	chunk->end = chunk->start + wanted;
	chunk->touched = bump.next = chunk->start;
	__atomic_store_n(&bump.chunk_count, bump.chunk_count + 1, __ATOMIC_RELEASE);
	return true;
}

static char *place(size_t alignment)
{
	uintptr_t at = (uintptr_t)bump.next + sizeof(struct header);

	return (char *)((at + alignment - 1) & ~(uintptr_t)(alignment - 1));
}

static struct chunk *last_chunk(void)
{
	return bump.chunk_count ? &bump.chunks[bump.chunk_count - 1] : NULL;
}

static bool fits(const struct chunk *chunk, const char *block, size_t size)
{
	return block <= chunk->end && (size_t)(chunk->end - block) >= size;
}

/* Hands out [block, block + size) of @chunk: clears what an earlier, released block left there. */
static void occupy(struct chunk *chunk, char *block, size_t size, bool zero)
{
	if (zero && block < chunk->touched)
		memset(block, 0, (size_t)(chunk->touched - block) < size ? (size_t)(chunk->touched - block) : size);
	bump.next = block + size;
	if (bump.next > chunk->touched)
		chunk->touched = bump.next;
}

void *bump_alloc(size_t size, size_t alignment, bool zero)
{
	struct chunk *chunk = last_chunk();
	void *large;
	char *block;

	if (size > PTRDIFF_MAX - 2 * HUGE_PAGE || alignment > PTRDIFF_MAX - 2 * HUGE_PAGE - size)
		return refuse();
	if (size >= BUMP_LARGE && alignment <= 16 && bump.large_count < LARGES) {
		large = large_alloc(size, zero);
		return large ? large : refuse();
	}
	size = size < 16 ? 16 : (size + 15) & ~(size_t)15;
	if (!chunk || !fits(chunk, block = place(alignment), size)) {
		if (!chunk_add(size + alignment + sizeof(struct header)))
			return refuse();
		chunk = last_chunk();
		block = place(alignment);
	}
	occupy(chunk, block, size, zero);
	*header_of(block) = (struct header){ .size = size };
	return block;
}

void bump_release(void *block)
{
	struct header *header = header_of(block);

	if (header->span) {
		unsigned i = large_find(block);

		if (i == LARGES)
			return;
		bump.larges[i] = bump.larges[bump.large_count - 1];
		__atomic_store_n(&bump.large_count, bump.large_count - 1, __ATOMIC_RELEASE);
		give_back(header);
	} else if ((char *)block + header->size == bump.next) {
		bump.next = (char *)header;
	}
}

/* Return: where the block is now, or a negative errno. */
static long move(struct header *header, size_t old, size_t span)
{
	/* What has just become large enough for huge pages does not lie where they can be yet. */
	bool stay = !huge(span) || (uintptr_t)header % HUGE_PAGE == 0;
	long moved = stay ? os_call(SYS_mremap, (long)header, (long)old, (long)span, 0, 0, 0) : -ENOMEM;
	void *place = moved < 0 && moved > -4096 && huge(span) ? map_aligned(span) : NULL;

	if (place)
		moved = os_call(SYS_mremap, (long)header, (long)old, (long)span, MREMAP_MAYMOVE | MREMAP_FIXED,
				(long)place, 0);
	if (place && moved != (long)place)
		os_unmap(place, span);
	if (moved < 0 && moved > -4096)
		moved = os_call(SYS_mremap, (long)header, (long)old, (long)span, MREMAP_MAYMOVE, 0, 0);
	if (huge(span) && !(moved < 0 && moved > -4096))
		advise_huge((void *)moved, span);
	return moved;
}

static void *large_resize(void *block, size_t size)
{
	struct header *header = header_of(block);
	size_t old = header->span, span = span_of(size);
	unsigned i = large_find(block);
	long moved;

	if (i == LARGES || (span > old && !permitted(span - old)))
		return refuse();
	moved = move(header, old, span);
	if (moved < 0 && moved > -4096)
		return refuse();
	header = (struct header *)moved;
	header->size = span - sizeof(*header);
	header->span = span;
	bump.mapped = bump.mapped - old + span;
	bump.larges[i] = header + 1;
	return header + 1;
}

void *bump_resize(void *block, size_t size)
{
	struct header *header = header_of(block);
	struct chunk *chunk = last_chunk();
	size_t rounded = size < 16 ? 16 : (size + 15) & ~(size_t)15;
	void *moved;

	if (size > PTRDIFF_MAX - 2 * HUGE_PAGE)
		return refuse();
	if (header->span && size >= BUMP_LARGE / 2)
		return large_resize(block, size);
	if (!header->span && rounded <= header->size)
		return block;
	if (!header->span && (char *)block + header->size == bump.next && size < BUMP_LARGE &&
	    fits(chunk, block, rounded)) {
		header->size = rounded;
		occupy(chunk, block, rounded, false);
		return block;
	}
	moved = bump_alloc(size, 16, false);
	if (!moved)
		return NULL;
	memcpy(moved, block, header->size < size ? header->size : size);
	bump_release(block);
	return moved;
}
