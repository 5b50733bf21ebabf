/* SPDX-License-Identifier: Apache-2.0 */
/* weakcall_step.h - the operand stack of a state, for the two files that run instructions. */
#ifndef PYTHON_WEAKCALL_STEP_H
#define PYTHON_WEAKCALL_STEP_H
#include "python/weakcall_machine.h"

/* All of these: the caller has checked that the operands, or the room, are there. */
uint8_t value_pop(struct state *state);
uint8_t value_peek(const struct state *state, unsigned from_top);
void value_push(struct state *state, uint8_t value);
void value_drop(struct state *state, unsigned count);

/* value_pass_on - take @count operands that go where we do not look. */
void value_pass_on(struct state *state, unsigned count);

bool value_is_none(uint8_t value);

/* weakcall_target - the code unit that a forward or absolute jump goes to. */
uint32_t weakcall_target(const struct machine *machine, const struct instruction *instruction, bool relative);

/* step_operation - weakcall_step for attributes, operators, containers and calls: whatever may raise by itself. */
bool step_operation(struct machine *machine, struct state *state, const struct instruction *instruction);

#endif
