/* SPDX-License-Identifier: Apache-2.0 */
/* unwind.h - native call stacks; the only user of libunwind (generic library, dlopened, accessors of our own). */
#ifndef NATIVE_UNWIND_H
#define NATIVE_UNWIND_H
#include <stdbool.h>
#include <stdint.h>

/* unwind_init - after modules_init, before there are threads: opens libunwind already now if a module of the program
 * registers handlers. Otherwise the first unwind_here does, if no other thread could be waiting for this one. */
void unwind_init(void);

/* unwind_here - the calling thread's stack as an interned stack, from the frame that returns to @caller outward
 * (our own frames are not in it); at most STACK_MAX_FRAMES. Thread: any. Signal: not safe. Fork: safe. Return: a
 * stack id (ledger/stacks.h) or STACK_NONE (no libunwind, or nothing found). errno unchanged. A frame's offset lies
 * in the call itself (return address - 1); the stack ends early where a function has no unwind information. */
uint32_t unwind_here(uintptr_t caller);

/* unwind_step - from a frame of this thread, of which the call's address (@ip - 1), stack and frame pointer are
 * known, to its caller's. Never waits and opens nothing: fails where libunwind has not been opened, is in use, or
 * needs other registers. Thread: any. Signal: safe. Return: false if there is no way. errno unchanged. */
bool unwind_step(uintptr_t *ip, uintptr_t *sp, uintptr_t *fp);

/* unwind_state - NULL if native stacks work (or were not needed yet and the library is there), else why not. */
const char *unwind_state(void);

/* unwind_prepare, unwind_parent, unwind_child - the unwinder's part of the fork protocol; called by entry/atfork
 * only. */
void unwind_prepare(void);
void unwind_parent(void);
void unwind_child(void);

#endif
