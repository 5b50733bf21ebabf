/* SPDX-License-Identifier: Apache-2.0 */
#include "report/origin.h"

#include "base/options.h"
#include "ledger/blocks.h"
#include "ledger/stacks.h"
#include "native/modules.h"
#include "native/trace.h"
#include "python/codes.h"
#include "python/objects.h"

struct origin origin_of(uint32_t trace)
{
	uint64_t key = traces_key(trace);
	if (trace == TRACE_ROOT || trace_tag(key) != TRACE_LEAF)
		return (struct origin){.node = trace, .kind = TRACE_MALLOC};
	return (struct origin){.node = traces_parent(trace), .epoch = (uint32_t)key,
			       .kind = (enum trace_kind)(key >> 32 & 0x3fffffff), .dated = true};
}

uint32_t origin_module(uint32_t node)
{
	uint64_t offset, key = traces_key(node);
	return node == TRACE_ROOT || trace_tag(key) != TRACE_NATIVE ? MODULE_NONE : trace_frame(key, &offset);
}

static struct frame meaning(uint64_t key)
{
	if (trace_tag(key) == TRACE_PYTHON)
		return codes_frame(key);
	struct frame frame = {.module = MODULE_NONE};
	frame.module = trace_frame(key, &frame.offset);
	return frame;
}

uint32_t origin_stack(uint32_t node)
{
	struct frame frames[STACK_MAX_FRAMES];
	unsigned count = 0;
	for (; node != TRACE_ROOT && count < options.frames; node = traces_parent(node))
		frames[count++] = meaning(traces_key(node));
	return stacks_intern(frames, count);
}

uint64_t origin_age(uint32_t epoch, uint64_t now_ns)
{
	uint64_t began = traces_epoch_ns(epoch);
	return now_ns > began ? now_ns - began : 0;
}

size_t origin_block_size(uintptr_t address, bool python)
{
	size_t size = python ? objects_block_size(address) : 0;
	return size ? size : blocks_usable(address);
}
