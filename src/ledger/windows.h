/* SPDX-License-Identifier: Apache-2.0 */
/*
 * windows.h - memory for the window arrays of blocks.c: the records of one page of heap, a class for each width of
 * window. Lock-free, so that a malloc in a signal handler that interrupted another is served like any other.
 */
#ifndef LEDGER_WINDOWS_H
#define LEDGER_WINDOWS_H
#include <stddef.h>
#include <stdint.h>

#define WINDOWS_PAGE_SHIFT 12u
#define WINDOWS_NARROWEST 4u  /* windows are 1 << shift bytes of heap wide, shift from 4 to 8 */
#define WINDOWS_WIDEST 8u
#define WINDOWS_ALIGNMENT 64u

/* windows_count - records of a page with windows of 1 << @shift bytes. */
static inline unsigned windows_count(unsigned shift) { return 1u << (WINDOWS_PAGE_SHIFT - shift); }

/* windows_new - windows_count(@shift) zeroed records, aligned to WINDOWS_ALIGNMENT. Owner: the caller, until
 * windows_reuse; never unmapped. Thread: any. Signal, fork: safe. errno unchanged. Return: NULL when mmap fails. */
uint32_t *windows_new(unsigned shift);

/* windows_reuse - nobody writes to @array any more; who still reads it finds zeros or the link of a list. Thread,
 * signal, fork: as windows_new. */
void windows_reuse(uint32_t *array, unsigned shift);

/* windows_map - @size bytes of zeroed memory for tables: not in core dumps; @sparse: never in huge pages. NULL when
 * mmap fails.
 * windows_mapped - bytes mapped so far. windows_unmap - gives back what windows_map gave. */
void *windows_map(size_t size, int sparse);
void windows_unmap(void *memory, size_t size);
size_t windows_mapped(void);

#endif
