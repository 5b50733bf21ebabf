/* SPDX-License-Identifier: Apache-2.0 */
/* stacks.h - interned frames and call stacks: plain data, ids count from 0 in order of first sight. */
#ifndef LEDGER_STACKS_H
#define LEDGER_STACKS_H
#include <stdbool.h>
#include <stdint.h>

#define STACK_NONE UINT32_MAX
#define STACK_MAX_FRAMES 64u

struct frame {
	bool python;
	int line;               /* python; 0 unknown */
	const char *function;   /* python: qualified where the version has it; native: symbol or NULL. Interned. */
	const char *file;       /* python. Interned. */
	uint32_t module;        /* native: module id (native/modules.h) or UINT32_MAX */
	uint64_t offset;        /* native: address - load bias of the module; the absolute address without a module */
};

/* stacks_intern - the id of the stack of @count frames, innermost first. Frames are copied; their texts must be
 * interned. Thread: any. Signal: not safe. Return: STACK_NONE if @count is 0 or memory ran out. */
uint32_t stacks_intern(const struct frame *frames, unsigned count);

/* stacks_get - the frame ids of stack @id, innermost first, and their number. Valid for ever. */
const uint32_t *stacks_get(uint32_t id, unsigned *count);
uint32_t stacks_count(void);

const struct frame *frames_get(uint32_t id);
/* frames_name - in the frozen copy: the function's interned name, found later. */
void frames_name(uint32_t id, const char *function);
uint32_t frames_count(void);

#endif
