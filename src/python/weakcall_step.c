/* SPDX-License-Identifier: Apache-2.0 */
/* What each instruction does to a state. An instruction that finds its operands missing loses the path. */
#include <string.h>

#include "python/weakcall_step.h"

uint8_t value_pop(struct state *state)
{
	uint8_t value = state->stack[--state->depth];
	state->stack[state->depth] = VALUE_ANY;
	return value;
}

uint8_t value_peek(const struct state *state, unsigned from_top)
{
	return state->stack[state->depth - 1 - from_top];
}

void value_push(struct state *state, uint8_t value)
{
	state->stack[state->depth++] = value;
}

void value_drop(struct state *state, unsigned count)
{
	while (count--)
		value_pop(state);
}

void value_pass_on(struct state *state, unsigned count)
{
	while (count--) {
		uint8_t value = value_pop(state);
		if (value == VALUE_WEAK || value == VALUE_DEAD)
			state->escaped = true;
	}
}

bool value_is_none(uint8_t value)
{
	return value == VALUE_NONE || value == VALUE_DEAD;
}

/* 1 true, 0 false, -1 unknown. */
static int truth(uint8_t value)
{
	if (value == VALUE_ANY || value == VALUE_OBJECT || value == VALUE_NULL || value & VALUE_RAISED)
		return -1;
	return !(value_is_none(value) || value == VALUE_FALSE);
}

static int is_none(uint8_t value)
{
	return value == VALUE_ANY || value == VALUE_NULL ? -1 : value_is_none(value);
}

static uint8_t from_truth(int known, bool invert)
{
	return known < 0 ? VALUE_ANY : known != invert ? VALUE_TRUE : VALUE_FALSE;
}

static bool step_stack(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	const struct opcode *opcode = instruction->opcode;
	uint32_t argument = instruction->argument;
	unsigned count;
	uint8_t value;
	switch (opcode->action) {
	case ACTION_DROP:
		value_drop(state, opcode->pops);
		return true;
	case ACTION_END_FOR:
	case ACTION_POP_ITER:
		count = opcode->action == ACTION_END_FOR ? machine->version->end_for_pops : machine->version->pop_iter_pops;
		if (count > state->depth)
			return weakcall_lost(machine, state);
		value_drop(state, count);
		return true;
	case ACTION_DUPLICATE:
		for (unsigned i = 0; i < opcode->pops; i++)
			value_push(state, value_peek(state, opcode->pops - 1u));
		return true;
	case ACTION_COPY:
		if (argument < 1 || argument > state->depth)
			return weakcall_lost(machine, state);
		value_push(state, value_peek(state, argument - 1));
		return true;
	case ACTION_SWAP:
		if (argument < 1 || argument > state->depth)
			return weakcall_lost(machine, state);
		value = value_peek(state, 0);
		state->stack[state->depth - 1] = value_peek(state, argument - 1);
		state->stack[state->depth - argument] = value;
		return true;
	default: /* ROTATE, ROTATE_N */
		count = opcode->action == ACTION_ROTATE ? opcode->pops : argument;
		if (count < 1 || count > state->depth)
			return weakcall_lost(machine, state);
		value = value_peek(state, 0);
		uint8_t *low = &state->stack[state->depth - count];
		memmove(low + 1, low, count - 1);
		*low = value;
		return true;
	}
}

static uint8_t variable(const struct state *state, uint32_t index)
{
	return index < VARIABLES_MAX ? state->variables[index] : VALUE_ANY;
}

static void set_variable(struct state *state, uint32_t index, uint8_t value)
{
	if (index < VARIABLES_MAX)
		state->variables[index] = value;
	else if (value == VALUE_WEAK || value == VALUE_DEAD)
		state->escaped = true;
}

/* A cell as an object: whoever gets it may read the reference inside. */
static void push_cell(struct state *state, uint32_t index)
{
	uint8_t inside = variable(state, index);
	if (inside == VALUE_WEAK || inside == VALUE_DEAD)
		state->escaped = true;
	value_push(state, VALUE_OBJECT);
}

static void load(const struct machine *machine, struct state *state, uint32_t index)
{
	bool joined = machine->version->joined_variables;
	bool own_cell = index < VARIABLES_MAX && machine->is_cell[index];
	if (joined && (own_cell || index >= (uint32_t)machine->code->local_and_cell_count))
		push_cell(state, index);
	else
		value_push(state, variable(state, index));
}

static bool step_variable(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	uint32_t argument = instruction->argument;
	uint32_t cell = machine->version->joined_variables ? argument : argument + (uint32_t)machine->code->local_count;
	switch (instruction->opcode->action) {
	case ACTION_LOAD:
		load(machine, state, argument);
		break;
	case ACTION_LOAD_LOAD:
		load(machine, state, argument >> 4);
		load(machine, state, argument & 15);
		break;
	case ACTION_STORE_STORE:
		set_variable(state, argument >> 4, value_pop(state));
		set_variable(state, argument & 15, value_pop(state));
		break;
	case ACTION_STORE_LOAD:
		set_variable(state, argument >> 4, value_pop(state));
		load(machine, state, argument & 15);
		break;
	case ACTION_STORE:
		set_variable(state, argument, value_pop(state));
		break;
	case ACTION_DELETE:
		set_variable(state, argument, VALUE_ANY);
		break;
	case ACTION_LOAD_CELL:
		push_cell(state, cell);
		break;
	case ACTION_LOAD_FREE:
		value_push(state, variable(state, cell));
		break;
	case ACTION_STORE_FREE:
		set_variable(state, cell, value_pop(state));
		break;
	default: /* DELETE_FREE */
		set_variable(state, cell, VALUE_ANY);
		break;
	}
	return true;
}

static bool step_constant(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	const struct weakcall_code *code = machine->code;
	switch (instruction->opcode->action) {
	case ACTION_PUSH_NULL:
		value_push(state, VALUE_NULL);
		break;
	case ACTION_CONSTANT:
		value_push(state, code->const_is_none(code->context, instruction->argument) ? VALUE_NONE : VALUE_OBJECT);
		break;
	case ACTION_COMMON_CONSTANT:
		if (instruction->argument == 0)
			value_push(state, VALUE_CLASS | RAISED_ASSERTION);
		else
			value_push(state, instruction->argument == machine->version->none_constant ? VALUE_NONE : VALUE_OBJECT);
		break;
	case ACTION_ASSERTION_ERROR:
		value_push(state, VALUE_CLASS | RAISED_ASSERTION);
		break;
	default: /* OBJECT */
		value_push(state, VALUE_OBJECT);
		break;
	}
	return true;
}

#define COMPARE_EQUAL 2u
#define COMPARE_DIFFERENT 3u

static void step_compare(struct state *state, uint8_t left, uint8_t right, uint32_t operation)
{
	bool of_identity = operation == COMPARE_EQUAL || operation == COMPARE_DIFFERENT;
	if (of_identity && value_is_none(left) && value_is_none(right)) {
		value_push(state, from_truth(1, operation == COMPARE_DIFFERENT));
		return;
	}
	if (!of_identity || left == VALUE_WEAK || right == VALUE_WEAK) {
		value_push(state, left);
		value_push(state, right);
		value_pass_on(state, 2);
	}
	value_push(state, VALUE_ANY);
}

static bool step_test(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	uint8_t right = value_pop(state), left;
	int known = -1;
	switch (instruction->opcode->action) {
	case ACTION_NOT:
		value_push(state, from_truth(truth(right), true));
		return true;
	case ACTION_TRUTH:
		value_push(state, from_truth(truth(right), false));
		return true;
	case ACTION_IS:
		left = value_pop(state);
		if (value_is_none(left) || value_is_none(right))
			known = is_none(left) < 0 || is_none(right) < 0 ? -1 : is_none(left) && is_none(right);
		value_push(state, from_truth(known, instruction->argument & 1));
		return true;
	default: /* COMPARE */
		left = value_pop(state);
		step_compare(state, left, right, instruction->argument >> machine->version->compare_shift);
		return true;
	}
}

/* To @target, or on, or both, as @known (1, 0, -1) says. */
static bool branch(struct machine *machine, struct state *state, int known, uint32_t target)
{
	if (known != 0)
		weakcall_follow(machine, state, target);
	return known != 1;
}

uint32_t weakcall_target(const struct machine *machine, const struct instruction *instruction, bool relative)
{
	uint32_t distance = machine->version->jumps_in_bytes ? instruction->argument / 2 : instruction->argument;
	return relative ? instruction->next + distance : distance;
}

static bool step_branch(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	unsigned action = instruction->opcode->action;
	uint32_t target = weakcall_target(machine, instruction, machine->version->tables);
	if (action >= ACTION_BACK_TRUE && action <= ACTION_BACK_NOT_NONE) {
		target = instruction->next - instruction->argument;
		action -= ACTION_BACK_TRUE - ACTION_BRANCH_TRUE;
	}
	if (action == ACTION_KEEP_TRUE || action == ACTION_KEEP_FALSE) {
		int known = truth(value_peek(state, 0));
		bool goes_on = branch(machine, state, known >= 0 && action == ACTION_KEEP_FALSE ? !known : known, target);
		value_pop(state);
		return goes_on;
	}
	uint8_t value = value_pop(state);
	bool of_none = action == ACTION_BRANCH_NONE || action == ACTION_BRANCH_NOT_NONE;
	int known = of_none ? is_none(value) : truth(value);
	if (known >= 0 && (action == ACTION_BRANCH_FALSE || action == ACTION_BRANCH_NOT_NONE))
		known = !known;
	return branch(machine, state, known, target);
}

static bool step_jump(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	uint32_t target;
	switch (instruction->opcode->action) {
	case ACTION_JUMP:
		target = weakcall_target(machine, instruction, true);
		break;
	case ACTION_JUMP_ABSOLUTE:
		target = weakcall_target(machine, instruction, false);
		break;
	case ACTION_JUMP_BACK:
		target = instruction->next - instruction->argument;
		break;
	default: /* RETURN */
		if (state->foreign)
			machine->foreign_lost |= state->escaped;
		else
			machine->returns = true;
		machine->escapes |= state->escaped;
		return false;
	}
	weakcall_follow(machine, state, target);
	return false;
}

static bool step_old_exception(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	uint32_t target = weakcall_target(machine, instruction, true);
	switch (instruction->opcode->action) {
	case ACTION_SETUP_WITH:
		if (value_is_none(value_pop(state)))
			return weakcall_raise(machine, state, instruction->at, RAISED_ATTRIBUTE);
		value_push(state, VALUE_ANY);
		/* fall through */
	case ACTION_SETUP_FINALLY:
		if (state->block_count == BLOCKS_MAX || target > UINT16_MAX)
			return weakcall_lost(machine, state);
		state->blocks[state->block_count++] = (struct block){.handler = (uint16_t)target, .level = state->depth};
		if (instruction->opcode->action == ACTION_SETUP_WITH)
			value_push(state, VALUE_ANY);
		return true;
	default: /* POP_BLOCK, and POP_EXCEPT of that kind */
		if (!state->block_count)
			return weakcall_lost(machine, state);
		memset(&state->blocks[--state->block_count], 0, sizeof(*state->blocks));
		return true;
	}
}

static bool step_match(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	uint8_t caught = value_pop(state);
	if (instruction->opcode->action == ACTION_CHECK_MATCH) {
		if (!state->depth)
			return weakcall_lost(machine, state);
		value_push(state, from_truth(weakcall_catches(caught, value_peek(state, 0)), false));
		return true;
	}
	int catches = weakcall_catches(caught, value_pop(state));
	return branch(machine, state, catches < 0 ? -1 : !catches, weakcall_target(machine, instruction, false));
}

/* The exception that a raise of @value gives; on a path that began with a foreign exception, one more of those. */
static uint8_t raised_by(const struct state *state, uint8_t value)
{
	if (state->foreign && !(value & VALUE_RAISED))
		return RAISED_FOREIGN;
	uint8_t one = value & VALUE_MASK;
	if (value & (VALUE_RAISED | VALUE_CLASS) &&
	    (one == RAISED_TYPE || one == RAISED_ATTRIBUTE || one == RAISED_ASSERTION))
		return one;
	return value == (VALUE_RAISED | RAISED_FOREIGN) ? RAISED_FOREIGN : RAISED_OTHER;
}

#define OLD_EXCEPTION_PARTS 3u /* <= 3.10: type, value, traceback */

static bool step_exception(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	unsigned parts = machine->version->tables ? 1 : OLD_EXCEPTION_PARTS;
	uint8_t value = VALUE_ANY;
	switch (instruction->opcode->action) {
	case ACTION_POP_EXCEPT:
		if (state->depth < parts)
			return weakcall_lost(machine, state);
		value_drop(state, parts);
		return machine->version->tables || step_old_exception(machine, state, instruction);
	case ACTION_PUSH_EXC_INFO:
		if (!state->depth)
			return weakcall_lost(machine, state);
		value = value_pop(state);
		value_push(state, VALUE_ANY);
		value_push(state, value);
		return true;
	case ACTION_RERAISE:
		if (state->depth < parts)
			return weakcall_lost(machine, state);
		value = value_pop(state);
		value_drop(state, parts - 1);
		return weakcall_raise(machine, state, instruction->at, raised_by(state, value));
	case ACTION_RAISE:
		if (state->depth < instruction->argument)
			return weakcall_lost(machine, state);
		for (uint32_t i = 0; i < instruction->argument; i++)
			value = value_pop(state);
		return weakcall_raise(machine, state, instruction->at, raised_by(state, value));
	default:
		return step_match(machine, state, instruction);
	}
}

bool weakcall_step(struct machine *machine, struct state *state, const struct instruction *instruction)
{
	const struct opcode *opcode = instruction->opcode;
	if (!opcode || state->depth < opcode->pops || state->depth + opcode->pushes > STACK_MAX)
		return weakcall_lost(machine, state);
	unsigned action = opcode->action;
	if (action == ACTION_NOTHING)
		return true;
	if (action <= ACTION_ROTATE_N)
		return step_stack(machine, state, instruction);
	if (action <= ACTION_ASSERTION_ERROR)
		return step_constant(machine, state, instruction);
	if (action <= ACTION_DELETE_FREE)
		return step_variable(machine, state, instruction);
	if (action <= ACTION_COMPARE)
		return step_test(machine, state, instruction);
	if (action <= ACTION_JUMP_BACK || action == ACTION_RETURN)
		return step_jump(machine, state, instruction);
	if (action <= ACTION_KEEP_FALSE)
		return step_branch(machine, state, instruction);
	if (action == ACTION_SETUP_FINALLY || action == ACTION_POP_BLOCK || action == ACTION_SETUP_WITH)
		return step_old_exception(machine, state, instruction);
	if (action < ACTION_FIRST_RAISING)
		return step_exception(machine, state, instruction);
	return step_operation(machine, state, instruction);
}
