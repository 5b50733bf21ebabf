/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h - is there memory at an address of this process? Asked of the kernel, never tried by reading. */
#ifndef NATIVE_MEMORY_H
#define NATIVE_MEMORY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_PAGE 4096u  /* the smallest page: on systems with larger ones this only asks more often */

/* memory_readable - can the 8 bytes at @address be read? One harmless system call, no descriptor.
 * Thread: any. Signal: safe. Fork: safe. errno unchanged. */
bool memory_readable(uintptr_t address);

/* memory_range_readable - the same for every page of [@address, @address + @size). */
bool memory_range_readable(uintptr_t address, size_t size);

/* memory_unmapped - surely no mapping holds @address: it cannot be read and the kernel's own list of mappings does not
 * have it. False also when that list cannot be opened. Opens and closes a descriptor: for the frozen copy. */
bool memory_unmapped(uintptr_t address);

#endif
