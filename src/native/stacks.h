/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stacks.h - the parts of threads' stacks that are not in use: below where each thread stands. Only of a stack whose
 * two ends are known, by libc's own record of the thread or because the kernel made it; a stack pointer elsewhere (on a
 * stack of coroutines or signal handlers) says nothing about what lies around. For the frozen copy.
 */
#ifndef NATIVE_STACKS_H
#define NATIVE_STACKS_H
#include <stdbool.h>
#include <stdint.h>
#include "native/halted.h"

struct stack_rest {
	uintptr_t start, end;
};

struct stacks {
	struct stack_rest *rests;  /* ascending */
	uintptr_t *loose;          /* stack pointers that lie on no stack of libc's, ascending */
	uintptr_t here;            /* of this thread */
	uint32_t rest_count, loose_count, room, next;
};

/* stacks_read - of this thread, which stands at @sp (0: not known), and of those that @halted (or NULL) lists. Memory:
 * mmap. Return: false if there is none. */
bool stacks_read(struct stacks *stacks, uintptr_t sp, const struct halted *halted);

/* stacks_first - the kernel's own stack for the first thread lies in [@start, @end). Return: where that begins which is
 * in use; @start if it is not known. */
uintptr_t stacks_first(const struct stacks *stacks, uintptr_t start, uintptr_t end);

/* stacks_rest - the first part not in use that ends behind @from; for ascending questions. NULL if there is none. */
const struct stack_rest *stacks_rest(struct stacks *stacks, uintptr_t from);

void stacks_finish(struct stacks *stacks);

#endif
