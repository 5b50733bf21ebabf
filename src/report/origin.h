/* SPDX-License-Identifier: Apache-2.0 */
/* origin.h - where a block was allocated and when, in a report's words. Runs in the frozen copy. */
#ifndef REPORT_ORIGIN_H
#define REPORT_ORIGIN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/traces.h"

/* What the record of a block says. */
struct origin {
	uint32_t node;         /* the innermost frame in the call tree; TRACE_ROOT: not known */
	uint32_t epoch;
	enum trace_kind kind;
	bool dated;            /* epoch and kind are known */
};

/* origin_of - @trace: the trace of a block's record (a leaf; the frame itself where there was no memory for one). */
struct origin origin_of(uint32_t trace);

/* origin_stack - the stack of the option's innermost frames from @node on, interned; STACK_NONE if not known. Names of
 * native functions are filled in by native/names.h. */
uint32_t origin_stack(uint32_t node);

/* origin_module - the module that made the call, from @node's own frame; MODULE_NONE if not known, or Python's. */
uint32_t origin_module(uint32_t node);

/* origin_age - the age at @now_ns (CLOCK_MONOTONIC) of what was made in @epoch: at most that old. */
uint64_t origin_age(uint32_t epoch, uint64_t now_ns);

/* origin_block_size - the bytes that the block at @address occupies. @python: of CPython's allocators. */
size_t origin_block_size(uintptr_t address, bool python);

#endif
