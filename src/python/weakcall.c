/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The abstract run. Only the reference, what it answers, and what is tested on them have known values; where a test's
 * result is unknown, both ways are followed. A state seen before is not followed again, so loops end.
 */
#include "python/weakcall.h"

#include <stdlib.h>
#include <string.h>

#include "python/weakcall_machine.h"

#define STATES_MAX 2048u
#define FOREIGN_STATES_MAX 1536u /* these may not crowd out the ordinary ones */
#define SLOTS (2u * STATES_MAX)
#define STEPS_MAX 1000000u

/* inspect.h: a call of such a function only makes a generator or coroutine. */
#define CODE_IS_LAZY (0x20u | 0x80u | 0x200u)

bool weakcall_lost(struct machine *machine, const struct state *state)
{
	if (state->foreign)
		machine->foreign_lost = true;
	else
		machine->lost = true;
	return false;
}

_Static_assert(sizeof(struct state) == 6 + STACK_MAX + VARIABLES_MAX + BLOCKS_MAX * 4, "compared as bytes: no padding");

static uint32_t hash_state(const struct state *state)
{
	const uint8_t *bytes = (const uint8_t *)state;
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < sizeof(*state); i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

void weakcall_follow(struct machine *machine, const struct state *state, uint32_t at)
{
	struct state *next = &machine->states[machine->state_count];
	if (at >= machine->units || machine->state_count >= (state->foreign ? FOREIGN_STATES_MAX : STATES_MAX)) {
		weakcall_lost(machine, state);
		return;
	}
	memcpy(next, state, sizeof(*next));
	next->at = (uint16_t)at;
	uint32_t slot = hash_state(next) % SLOTS;
	for (; machine->slots[slot]; slot = (slot + 1) % SLOTS)
		if (memcmp(&machine->states[machine->slots[slot] - 1], next, sizeof(*next)) == 0)
			return;
	machine->slots[slot] = (uint16_t)++machine->state_count;
}

/* The instruction at unit @at with its EXTENDED_ARG prefixes; prefixes are opcodes that do nothing. */
static bool fetch(const struct machine *machine, uint32_t at, const struct opcode *prefix,
		  struct instruction *instruction)
{
	const uint8_t *code = machine->code->code;
	*instruction = (struct instruction){.at = at};
	do {
		if (at >= machine->units)
			return false;
		instruction->opcode = machine->opcodes[code[2 * at]];
		instruction->argument = instruction->argument << 8 | code[2 * at + 1];
		instruction->at = at++;
	} while (prefix && instruction->opcode == prefix);
	while (machine->version->tables && at < machine->units && code[2 * at] == 0)
		at++;
	instruction->next = at;
	return true;
}

static const struct opcode *find_opcode(const struct machine *machine, const char *name)
{
	for (unsigned number = 0; number < 256; number++)
		if (machine->opcodes[number] && strcmp(machine->opcodes[number]->name, name) == 0)
			return machine->opcodes[number];
	return NULL;
}

/* 3.11+: which variables are cells from the prologue on. */
static void find_cells(struct machine *machine, const struct opcode *prefix)
{
	const struct opcode *make_cell = find_opcode(machine, "MAKE_CELL");
	struct instruction instruction;
	for (uint32_t at = 0; make_cell && fetch(machine, at, prefix, &instruction); at = instruction.next)
		if (instruction.opcode == make_cell && instruction.argument < VARIABLES_MAX)
			machine->is_cell[instruction.argument] = true;
}

/* Return: false if a source lies where the machine keeps nothing. */
static bool place_sources(const struct machine *machine, struct state *state)
{
	const struct weakcall_code *code = machine->code;
	bool joined = machine->version->joined_variables;
	int free_start = joined ? code->local_and_cell_count : code->local_count + code->cell_count;
	for (unsigned i = 0; i < machine->source_count; i++) {
		const struct weakcall_source *source = &machine->sources[i];
		if (source->kind == WEAK_GLOBAL)
			continue;
		long index = source->kind == WEAK_DEREF ? (long)free_start + source->index : source->index;
		if (index < 0 || index >= (long)VARIABLES_MAX)
			return false;
		state->variables[index] = VALUE_WEAK;
		/* Up to 3.10 nothing here says which arguments are moved to cells: do not answer "guarded" for those. */
		if (source->kind == WEAK_FAST && !joined && code->cell_count > 0)
			state->escaped = true;
	}
	return true;
}

static void run(struct machine *machine)
{
	const struct opcode *prefix = find_opcode(machine, "EXTENDED_ARG");
	unsigned steps = 0;
	find_cells(machine, prefix);
	for (unsigned i = 0; i < machine->state_count; i++) {
		struct state state;
		memcpy(&state, &machine->states[i], sizeof(state));
		struct instruction instruction;
		for (bool on = true; on; state.at = (uint16_t)instruction.next) {
			if (++steps > STEPS_MAX) {
				machine->lost = true;
				return;
			}
			on = fetch(machine, state.at, prefix, &instruction) || weakcall_lost(machine, &state);
			on = on && weakcall_step(machine, &state, &instruction);
			if (on && instruction.next >= machine->units)
				on = weakcall_lost(machine, &state);
		}
	}
}

static enum weakcall_verdict verdict(const struct machine *machine)
{
	if (machine->lost || machine->returns == machine->raises)
		return WEAKCALL_UNDECIDED;
	if (machine->raises)
		return WEAKCALL_RAISES;
	return machine->escapes || machine->foreign_lost ? WEAKCALL_UNDECIDED : WEAKCALL_GUARDED;
}

enum weakcall_verdict weakcall_decide(const struct weakcall_code *code, const struct weakcall_source *sources,
				      unsigned count)
{
	enum weakcall_verdict result = WEAKCALL_UNDECIDED;
	struct machine machine = {
		.code = code, .sources = sources, .source_count = count, .version = opcodes_version(code->version)};
	if (!count || !machine.version || code->flags & CODE_IS_LAZY || code->size / 2 > UINT16_MAX - 1)
		return result;
	machine.units = (uint32_t)(code->size / 2);
	opcodes_decode(machine.version, machine.opcodes);
	machine.states = calloc(STATES_MAX + 1, sizeof(*machine.states));
	machine.slots = calloc(SLOTS, sizeof(*machine.slots));
	struct state start;
	memset(&start, 0, sizeof(start));
	if (machine.states && machine.slots && weakcall_read_handlers(&machine) && place_sources(&machine, &start)) {
		weakcall_follow(&machine, &start, 0);
		run(&machine);
		result = verdict(&machine);
	}
	free(machine.states);
	free(machine.slots);
	free(machine.handlers);
	return result;
}
