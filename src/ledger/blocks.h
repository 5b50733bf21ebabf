/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocks.h - the live blocks: from a block's address to four bytes of record, the leaf of its allocation trace and
 * one flag.
 *
 * A page of heap has an array of windows, one record each; a window is as wide as the closest that two blocks there can
 * begin (glibc: 32 bytes), so a window holds at most one beginning. Where it lies in the window is in the record too,
 * so that all live blocks can be listed. Memory: four bytes a window, for pages with blocks alone, and 8 a page.
 *
 * Lock-free: callers own the block that they name (a malloc that has not returned, a free not yet forwarded), so no
 * two threads work on one record. A page whose windows turn out too wide gets narrower ones: wide ones are for a
 * caller who alone allocates in that page (CPython's own allocator, with the GIL), so nobody else writes there
 * meanwhile; once that page has gone back to the kernel and come as somebody else's heap, nobody writes to the wide
 * ones any more.
 */
#ifndef LEDGER_BLOCKS_H
#define LEDGER_BLOCKS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_NONE 0u
#define BLOCK_TRACE(record) ((record) & 0x07ffffffu)
#define BLOCK_CODE 0x08000000u  /* a code object lives here whose names have been copied (python/codes.h) */

/* blocks_init - @spacing: bytes: how close blocks of the host's malloc can begin. Below 16 the second of two blocks
 * in one window of 16 is not recorded, and counted. Before it, and without it: 32. Any number of times. */
void blocks_init(unsigned spacing);

/* blocks_put - there is a block at @address, with @trace (a leaf; BLOCK_NONE is not recorded) and no flag; a record
 * that is there is replaced. blocks_put_exclusive - the same where this caller alone allocates in the page: @spacing as
 * in blocks_init, for this page (windows of up to 256 bytes).
 * A block that has a record already is put as by blocks_put.
 * Memory: an mmap at times. Signal: safe. errno unchanged. Return: false if not recorded (counted). */
bool blocks_put(uintptr_t address, uint32_t trace);
bool blocks_put_exclusive(uintptr_t address, uint32_t trace, unsigned spacing);

/* blocks_take - remove the record of the block at @address. Return: the record, BLOCK_NONE if there was none.
 * blocks_put_back - a record taken, put where it was (a realloc that failed).
 * blocks_get - the record, left there. blocks_flag - set BLOCK_CODE; false if there is no record. All O(1), no
 * memory. */
uint32_t blocks_take(uintptr_t address);
void blocks_put_back(uintptr_t address, uint32_t record);
uint32_t blocks_get(uintptr_t address);
bool blocks_flag(uintptr_t address);

/* blocks_each - all records in ascending order of address, until @visit returns false. For the frozen copy. */
void blocks_each(bool (*visit)(void *argument, uintptr_t address, uint32_t record), void *argument);

/* blocks_at_or_before - the nearest block that begins at @address or before it, within @reach bytes, or 0. For the
 * frozen copy. */
uintptr_t blocks_at_or_before(uintptr_t address, size_t reach);

/* blocks_measure - @usable: says how many bytes a block of the host's malloc has. blocks_usable - ask it; 0 if nobody
 * has been named. @address must be a live block of the host's malloc. Frozen copy: safe, it reads what stands before
 * the block. */
void blocks_measure(size_t (*usable)(uintptr_t address));
size_t blocks_usable(uintptr_t address);

/* blocks_restrict - not every block of the malloc family is recorded, because of @reason (a literal; the first one
 * stays): @none, none is. blocks_state - NULL if each live block has a record, else why not; *@none as above. For the
 * frozen copy: static text. */
void blocks_restrict(const char *reason, bool none);
const char *blocks_state(bool *none);

/* blocks_lost - blocks that could not be recorded. blocks_memory - bytes of tables mapped so far. */
uint64_t blocks_lost(void);
size_t blocks_memory(void);

#endif
