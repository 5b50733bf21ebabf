/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h - native stacks of allocations: frame rules from .eh_frame, cached by instruction address, and a memo of
 * each thread's recent stacks, checked by the exact slots (return addresses, and saved frame pointers where a rule
 * needs them). libunwind (unwinder.h) goes on where there is no rule.
 */
#ifndef NATIVE_TRACE_H
#define NATIVE_TRACE_H
#include <stdbool.h>
#include <stdint.h>
#include "base/caller.h"
#include "base/proof.h"

/* trace_init - in the constructor. @depth: innermost frames that must be right (option frames). */
void trace_init(unsigned depth);

/* trace_stop_at - stacks end, without it, at the function that begins at @function (CPython's evaluation loop). */
void trace_stop_at(uintptr_t function);

/* trace_here - the calling thread's stack from @caller outward, as a path of the call tree (ledger/traces.h) whose
 * outermost frame hangs under @parent. With @parent not TRACE_ROOT the walk ends at trace_stop_at's function, and a
 * stack that lies in that function's own module as a whole adds nothing (*@foreign false). @foreign may be NULL.
 * Thread: any. Signal: safe; a call that interrupts another in its thread gets @parent. Uses little stack (about 500
 * bytes, 1 KiB at the first sight of an address). No lock of the loader, no allocation but base/arena's. errno
 * unchanged. Return: the innermost frame's node; @parent if nothing is known. */
uint32_t trace_here(uint32_t parent, const struct caller *caller, bool *foreign);

/* trace_here_proven - trace_here, and why (@proof may be NULL): as long as @proof holds and proof_epoch is what it was
 * before this call, the native frames under @parent are the same. Proof there is for many a @parent that is not
 * TRACE_ROOT, else none. */
uint32_t trace_here_proven(uint32_t parent, const struct caller *caller, struct proof *proof);

/* trace_unloading - a module is about to be unloaded, and what runs in it at its end has run (__cxa_finalize): rules
 * and memos of before hold no more, and addresses met from now on are others. The module table should have been
 * brought up to date before: it cannot name what it never saw. Lock-free. trace_generation - how often that has
 * happened. */
void trace_unloading(void);
uint32_t trace_generation(void);

/* trace_frame - what a key of TRACE_NATIVE means: the module that was at that address then and the offset in it, one
 * byte back so that it lies in the call. For the frozen copy, after modules_refresh. Return: the module's id or
 * MODULE_NONE, never another's. */
uint32_t trace_frame(uint64_t key, uint64_t *offset);

/* trace_state - NULL if stacks are whole as a rule, else what is missing and why. trace_unknown - walks that ended
 * early: at a frame without information, or on a stack of thousands of frames. */
const char *trace_state(void);
uint64_t trace_unknown(void);

/* The fork protocol, called by entry/atfork only. */
void trace_prepare(void);
void trace_parent(void);
void trace_child(void);

#endif
