/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bump.h - the malloc family of the frozen copy: a bump heap from mmap, so that no lock of the host's allocator, which
 * another thread held when the copy was made, is ever waited for.
 *
 * Small blocks are only given back when they are the last one handed out; blocks of BUMP_LARGE bytes and more are
 * mappings of their own, grown by mremap; those given back are kept for the next that wants as much, unless the cap
 * is in the way. One thread at a time: the copy has one, and in place only one is served.
 */
#ifndef SNAPSHOT_BUMP_H
#define SNAPSHOT_BUMP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUMP_LARGE ((size_t)1 << 20)

/* bump_open - from now on at most @limit bytes are mapped at a time (0: no cap). @exhausted is called when the cap or
 * the kernel refuses more; if it returns (or is NULL), the allocation fails with NULL. */
void bump_open(uint64_t limit, void (*exhausted)(void));

/* bump_alloc - @size bytes aligned to @alignment (a power of two, at least 16); zeroed if @zero. Return: NULL when
 * exhausted; errno is the caller's business. */
void *bump_alloc(size_t size, size_t alignment, bool zero);

/* bump_resize - realloc for a block of this heap. Return: NULL when exhausted, the old block is then untouched. */
void *bump_resize(void *block, size_t size);

/* bump_release - free for a block of this heap. */
void bump_release(void *block);

/* bump_owns - is @block one of this heap's? Any address may be asked. Thread: any. */
bool bump_owns(const void *block);

/* bump_size - usable bytes of a block of this heap. */
size_t bump_size(const void *block);

/* bump_mapped - bytes mapped now, the kept ones among them. */
uint64_t bump_mapped(void);

#endif
