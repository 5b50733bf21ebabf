/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes, operators, containers and calls: here None and the dead reference meet the program. */
#include "python/weakcall_step.h"

/* Take @pops operands and give @pushes unknown ones. */
static bool replace(struct machine *machine, struct state *state, uint64_t pops, uint64_t pushes)
{
	if (pops > state->depth || state->depth - pops + pushes > STACK_MAX)
		return weakcall_lost(machine, state);
	value_pass_on(state, (unsigned)pops);
	for (uint64_t i = 0; i < pushes; i++)
		value_push(state, VALUE_ANY);
	return true;
}

/* As replace, but TypeError if the operand @from_top is None. */
static bool need(struct machine *machine, struct state *state, const struct instruction *instruction, unsigned from_top,
		 uint64_t pushes)
{
	if (value_is_none(value_peek(state, from_top)))
		return weakcall_raise(machine, state, instruction->at, RAISED_TYPE);
	return replace(machine, state, instruction->opcode->pops, pushes);
}

static const char *name_of(const struct machine *machine, uint32_t index)
{
	const char *name = index < machine->code->name_count ? machine->code->names[index] : NULL;
	return name ? name : "";
}

/* Is @name one that the caller called a dead weak reference? */
static bool is_source(const struct machine *machine, const char *name)
{
	for (unsigned i = 0; i < machine->source_count; i++) {
		const struct weakcall_source *source = &machine->sources[i];
		const char *have = source->kind == WEAK_GLOBAL ? source->name : NULL;
		const char *want = name;
		while (have && *have && *have == *want)
			have++, want++;
		if (have && !*have && !*want)
			return true;
	}
	return false;
}

static bool step_global(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	if (instruction->opcode->action == ACTION_STORE_GLOBAL) {
		if (is_source(machine, name_of(machine, instruction->argument)))
			return weakcall_lost(machine, state);
		value_pass_on(state, instruction->opcode->pops);
		return true;
	}
	const char *name = name_of(machine, instruction->argument >> machine->version->global_shift);
	bool with_null = machine->version->global_shift && instruction->argument & 1;
	if (state->depth + 1u + with_null > STACK_MAX)
		return weakcall_lost(machine, state);
	if (with_null && machine->version->null == NULL_BELOW)
		value_push(state, VALUE_NULL);
	value_push(state, is_source(machine, name) ? VALUE_WEAK : weakcall_global(name));
	if (with_null && machine->version->null == NULL_ABOVE)
		value_push(state, VALUE_NULL);
	return true;
}

static bool step_attribute(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	const struct opcode *opcode = instruction->opcode;
	unsigned shift = opcode->action == ACTION_LOAD_ATTR ? machine->version->attr_shift : 0;
	uint8_t object = value_peek(state, 0);
	if (value_is_none(object)) {
		int lacks = weakcall_none_lacks(name_of(machine, instruction->argument >> shift));
		if (lacks < 0)
			return weakcall_lost(machine, state);
		if (lacks || opcode->action == ACTION_STORE_ATTR)
			return weakcall_raise(machine, state, instruction->at, RAISED_ATTRIBUTE);
		value_pop(state);
		value_push(state, VALUE_NONE); /* asked for one of None's own: it has gone nowhere */
	}
	bool pair = shift && instruction->argument & 1;
	return replace(machine, state, opcode->pops, opcode->pushes + pair);
}

/* The answer of @callable called with @count arguments on the stack, the last at the top. They, and @below operands
 * under them, go. */
static bool call(struct machine *machine, struct state *state, const struct instruction *instruction, uint8_t callable,
		 uint64_t count, unsigned below)
{
	if (value_is_none(callable) || (callable == VALUE_WEAK && count > 0))
		return weakcall_raise(machine, state, instruction->at, RAISED_TYPE);
	uint8_t answer = VALUE_ANY;
	if (callable == VALUE_WEAK)
		answer = VALUE_DEAD;
	else if (callable & VALUE_CLASS)
		answer = callable;
	bool of_none = count == 1 && value_is_none(value_peek(state, 0));
	bool test = of_none && (callable == VALUE_CALLABLE || callable == VALUE_BOOL);
	if (test)
		answer = VALUE_FALSE;
	if (callable == VALUE_WEAK || test)
		value_drop(state, (unsigned)count + below);
	else if (!replace(machine, state, count + below, 0))
		return false;
	value_push(state, answer);
	return true;
}

static bool step_call(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	const struct opcode_version *version = machine->version;
	uint64_t count = instruction->argument;
	bool keywords = instruction->opcode->action == ACTION_CALL_KW || instruction->opcode->action == ACTION_CALL_BARE_KW;
	bool bare = instruction->opcode->action == ACTION_CALL_BARE || instruction->opcode->action == ACTION_CALL_BARE_KW;
	if (count + keywords + (bare ? 1 : 2) > state->depth)
		return weakcall_lost(machine, state);
	if (keywords)
		value_pop(state);
	uint8_t upper = value_peek(state, (unsigned)count);
	if (bare)
		return call(machine, state, instruction, upper, count, 1);
	uint8_t lower = value_peek(state, (unsigned)count + 1);
	if (version->null == NULL_ABOVE && upper == VALUE_NULL)
		return call(machine, state, instruction, lower, count, 2);
	if (version->null != NULL_ABOVE && lower == VALUE_NULL)
		return call(machine, state, instruction, upper, count, 2);
	/* A bound method taken apart: the object is its first argument. */
	return call(machine, state, instruction, lower, count + 1, 1);
}

static bool step_call_ex(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	const struct opcode_version *version = machine->version;
	unsigned pops = version->call_ex_pops + (version->call_ex_flag && instruction->argument & 1);
	if (state->depth < pops)
		return weakcall_lost(machine, state);
	uint8_t callable = value_peek(state, version->null == NULL_BELOW ? pops - 2 : pops - 1);
	if (callable == VALUE_WEAK)
		return weakcall_lost(machine, state);
	if (value_is_none(callable))
		return weakcall_raise(machine, state, instruction->at, RAISED_TYPE);
	return replace(machine, state, pops, 1);
}

/* A tuple of exception classes catches what any of them does. */
static bool step_tuple(struct machine *machine, struct state *state, uint32_t count)
{
	uint8_t all = VALUE_CLASS;
	for (uint32_t i = 0; i < count && i < state->depth; i++) {
		uint8_t value = value_peek(state, i);
		all = value & VALUE_CLASS && all ? all | value : 0;
	}
	if (!replace(machine, state, count, 1))
		return false;
	if (all && count)
		state->stack[state->depth - 1] = all;
	return true;
}

static bool step_build(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	const struct opcode_version *version = machine->version;
	uint64_t argument = instruction->argument;
	switch (instruction->opcode->action) {
	case ACTION_BUILD_TUPLE:
		return step_tuple(machine, state, instruction->argument);
	case ACTION_BUILD:
		return replace(machine, state, argument, 1);
	case ACTION_BUILD_PAIRS:
		return replace(machine, state, argument * 2, 1);
	case ACTION_BUILD_KEYED:
		return replace(machine, state, argument + 1, 1);
	case ACTION_FORMAT:
		return replace(machine, state, argument & 4 ? 2 : 1, 1);
	default: /* MAKE_FUNCTION */
		return replace(machine, state,
			       version->function_pops + (version->function_flags ? __builtin_popcount(argument & 15) : 0), 1);
	}
}

static bool step_iteration(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	const struct opcode_version *version = machine->version;
	uint32_t argument = instruction->argument;
	switch (instruction->opcode->action) {
	case ACTION_GET_ITER:
		return need(machine, state, instruction, 0, version->iter_size);
	case ACTION_UNPACK:
		return need(machine, state, instruction, 0, argument);
	case ACTION_UNPACK_EX:
		return need(machine, state, instruction, 0, (uint64_t)(argument & 0xff) + (argument >> 8) + 1);
	default: /* FOR_ITER */
		if (!state->depth)
			return weakcall_lost(machine, state);
		struct state done = *state;
		if (version->end_for_pops)
			value_push(&done, VALUE_ANY);
		else
			value_pop(&done);
		weakcall_follow(machine, &done, weakcall_target(machine, instruction, true));
		value_push(state, VALUE_ANY);
		return true;
	}
}

/* An operation in reach of a handler may raise, though it usually does not: the handler's code belongs to the paths. */
static void follow_foreign(struct machine *machine, const struct state *state, uint32_t at)
{
	if (machine->version->tables ? machine->handler_count : state->block_count) {
		struct state copy = *state;
		copy.foreign = true;
		weakcall_raise(machine, &copy, at, RAISED_FOREIGN);
	}
}

bool step_operation(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	const struct opcode *opcode = instruction->opcode;
	follow_foreign(machine, state, instruction->at);
	switch (opcode->action) {
	case ACTION_QUIET:
		value_drop(state, opcode->pops);
		return replace(machine, state, 0, opcode->pushes);
	case ACTION_PLAIN:
		return replace(machine, state, opcode->pops, opcode->pushes);
	case ACTION_NEED_FIRST:
	case ACTION_NEED_SECOND:
	case ACTION_NEED_THIRD:
		return need(machine, state, instruction, opcode->action - ACTION_NEED_FIRST, opcode->pushes);
	case ACTION_BINARY_OP:
		if (instruction->argument == machine->version->subscript)
			return need(machine, state, instruction, 1, opcode->pushes);
		return replace(machine, state, opcode->pops, opcode->pushes);
	case ACTION_LOAD_GLOBAL:
	case ACTION_STORE_GLOBAL:
		return step_global(machine, state, instruction);
	case ACTION_LOAD_ATTR:
	case ACTION_LOAD_METHOD:
	case ACTION_STORE_ATTR:
		return step_attribute(machine, state, instruction);
	case ACTION_SUPER_ATTR:
		return replace(machine, state, opcode->pops, 1 + (instruction->argument & 1));
	case ACTION_GET_ITER:
	case ACTION_FOR_ITER:
	case ACTION_UNPACK:
	case ACTION_UNPACK_EX:
		return step_iteration(machine, state, instruction);
	case ACTION_CALL_EX:
		return step_call_ex(machine, state, instruction);
	case ACTION_CALL_BARE:
	case ACTION_CALL_BARE_KW:
	case ACTION_CALL:
	case ACTION_CALL_KW:
		return step_call(machine, state, instruction);
	default:
		return step_build(machine, state, instruction);
	}
}
