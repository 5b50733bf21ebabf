/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h - the malloc family of the frozen copy: a bump heap from mmap, so that no lock of the host's allocator, which
 * another thread held when the copy was made, is ever waited for.
 *
 * Small blocks are only given back when they are the last one handed out; blocks of HEAP_LARGE bytes and more are
 * mappings of their own, grown by mremap. One thread at a time: the copy has one, and in place only one is served.
 */
#ifndef SNAPSHOT_HEAP_H
#define SNAPSHOT_HEAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_LARGE ((size_t)1 << 20)

/* heap_open - from now on at most @limit bytes are mapped at a time (0: no cap). @exhausted is called when the cap or
 * the kernel refuses more; if it returns (or is NULL), the allocation fails with NULL. */
void heap_open(uint64_t limit, void (*exhausted)(void));

/* heap_alloc - @size bytes aligned to @alignment (a power of two, at least 16); zeroed if @zero. Return: NULL when
 * exhausted; errno is the caller's business. */
void *heap_alloc(size_t size, size_t alignment, bool zero);

/* heap_resize - realloc for a block of this heap. Return: NULL when exhausted, the old block is then untouched. */
void *heap_resize(void *block, size_t size);

/* heap_release - free for a block of this heap. */
void heap_release(void *block);

/* heap_owns - is @block one of this heap's? Any address may be asked. Thread: any. */
bool heap_owns(const void *block);

/* heap_size - usable bytes of a block of this heap. */
size_t heap_size(const void *block);

/* heap_mapped - bytes mapped now. */
uint64_t heap_mapped(void);

#endif
