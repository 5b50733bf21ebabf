/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roots.h - the memory of this process in which a pointer may lie: data of modules, stacks, thread-local variables and
 * whatever has been mapped. Of threads' own stacks what is in use, where that is known. Left out:
 * devices, and files mapped for sharing or for reading. For the frozen copy, before its own heap has grown.
 */
#ifndef NATIVE_ROOTS_H
#define NATIVE_ROOTS_H
#include <stdbool.h>
#include <stdint.h>
#include "native/halted.h"

enum root_kind {
	ROOT_MEMORY,     /* may be read as it stands */
	ROOT_FILE,       /* a file stands behind it, which may have become shorter: page by page */
	ROOT_LIBC,       /* the same, of libc: its allocator's own pointers lie there */
	ROOT_HEAP,       /* brk's: libc's allocator has it all */
};

struct root_span {
	uintptr_t start, end;
	enum root_kind kind;
};

struct roots {
	struct root_span *spans;   /* ascending */
	uint32_t count, room;
	bool swapped;              /* part of it is in swap space */
};

/* roots_read - from the kernel's list. @sp: of the calling thread's own stack what lies below it is left out;
 * registers must have been stored above it. @halted: where the other threads stood, and their registers, or NULL: their
 * stacks are then taken whole. Memory: mmap. Return: 0 or a negative errno. */
int roots_read(struct roots *roots, uintptr_t sp, const struct halted *halted);

/* roots_visit - those parts of [@start, @end), which lies in @span, that may be read and have ever been written
 * to: all of it where that is not known. */
void roots_visit(const struct roots *roots, const struct root_span *span, uintptr_t start, uintptr_t end,
		 void (*visit)(void *argument, uintptr_t start, uintptr_t end), void *argument);

/* roots_find - the span that holds @address, or NULL. */
const struct root_span *roots_find(const struct roots *roots, uintptr_t address);

/* roots_readable - is all of [@start, @end) in spans? *@from: where to begin, 0 at first: ascending questions cost
 * nothing. */
bool roots_readable(const struct roots *roots, uintptr_t start, uintptr_t end, uint32_t *from);

/* roots_cut - [@start, @end) is left out as well. Memory: mmap; without it, it stays. */
void roots_cut(struct roots *roots, uintptr_t start, uintptr_t end);

void roots_finish(struct roots *roots);

#endif
