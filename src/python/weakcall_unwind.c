/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions: to which handler, with which stack; the block stack up to 3.10, exception tables after. */
#include <stdlib.h>
#include <string.h>

#include "python/weakcall_machine.h"

#define HANDLERS_MAX 4096u
#define OLD_EXCEPTION_SIZE 6u /* <= 3.10: traceback, value, type of the exception before, and of this one */

struct reader {
	const uint8_t *bytes;
	size_t size, at;
};

/* Big-endian groups of six bits; bit 6 says that one more follows, bit 7 starts an entry. */
static bool read_number(struct reader *reader, uint32_t *number)
{
	*number = 0;
	for (unsigned groups = 0; groups < 5 && reader->at < reader->size; groups++) {
		uint8_t byte = reader->bytes[reader->at++];
		*number = *number << 6 | (byte & 0x3f);
		if (!(byte & 0x40))
			return *number < 1u << 24;
	}
	return false;
}

bool weakcall_read_handlers(struct machine *machine)
{
	struct reader reader = {machine->code->exceptions, machine->code->exceptions_size, 0};
	if (!machine->version->tables || !reader.bytes || !reader.size)
		return true;
	size_t most = reader.size / 4 < HANDLERS_MAX ? reader.size / 4 : HANDLERS_MAX;
	machine->handlers = calloc(most + 1, sizeof(*machine->handlers));
	if (!machine->handlers)
		return false;
	while (reader.at < reader.size) {
		uint32_t start, length, target, depth;
		if (machine->handler_count >= most || !read_number(&reader, &start) || !read_number(&reader, &length) ||
		    !read_number(&reader, &target) || !read_number(&reader, &depth) || depth >> 1 >= STACK_MAX)
			return false;
		machine->handlers[machine->handler_count++] = (struct handler){
			.start = start, .end = start + length, .target = target,
			.depth = (uint8_t)(depth >> 1), .lasti = depth & 1};
	}
	return true;
}

static void cut_stack(struct state *state, unsigned depth)
{
	while (state->depth > depth)
		state->stack[--state->depth] = VALUE_ANY;
}

static bool enter_table_handler(struct machine *machine, struct state *state, uint32_t at, uint8_t raised)
{
	const struct handler *handler = machine->handlers, *end = handler + machine->handler_count;
	while (handler < end && !(at >= handler->start && at < handler->end))
		handler++;
	if (handler == end)
		return false;
	if (handler->depth > state->depth || handler->depth + 2u > STACK_MAX)
		return !weakcall_lost(machine, state);
	cut_stack(state, handler->depth);
	if (handler->lasti)
		state->stack[state->depth++] = VALUE_OBJECT;
	state->stack[state->depth++] = raised;
	weakcall_follow(machine, state, handler->target);
	return true;
}

static bool enter_block_handler(struct machine *machine, struct state *state, uint8_t raised)
{
	while (state->block_count) {
		struct block block = state->blocks[--state->block_count];
		memset(&state->blocks[state->block_count], 0, sizeof(block));
		cut_stack(state, block.level);
		if (block.running)
			continue;
		if (state->depth + OLD_EXCEPTION_SIZE > STACK_MAX)
			return !weakcall_lost(machine, state);
		state->blocks[state->block_count++] = (struct block){.level = state->depth, .running = true};
		state->depth += OLD_EXCEPTION_SIZE;
		state->stack[state->depth - 2] = state->stack[state->depth - 1] = raised;
		weakcall_follow(machine, state, block.handler);
		return true;
	}
	return false;
}

bool weakcall_raise(struct machine *machine, struct state *state, uint32_t at, uint8_t exception)
{
	uint8_t raised = VALUE_RAISED | exception;
	if (machine->version->tables ? enter_table_handler(machine, state, at, raised)
				     : enter_block_handler(machine, state, raised))
		return false;
	if (!state->foreign)
		machine->raises = true;
	else if (exception != RAISED_FOREIGN)
		machine->foreign_lost = true;
	return false;
}
