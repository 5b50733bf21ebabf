/* SPDX-License-Identifier: Apache-2.0 */
/* decode_inside.h - between decode.c and what knows one processor's instructions. */
#ifndef NATIVE_DECODE_INSIDE_H
#define NATIVE_DECODE_INSIDE_H
#include <capstone.h>
#include "native/decode.h"

#define DECODE_REGISTERS 31u   /* aarch64's */
#define DECODE_TARGETS 64u

/* What is known of a register of aarch64, whose instructions are too short for an address. */
struct decode_known {
	bool known, whole, used;   /* whole: not a page alone. used: as the base of a memory operand */
	uint64_t value;
};

struct decode_state {
	uint64_t address;          /* where a jump leads */
	struct decode_known registers[DECODE_REGISTERS];
};

/* One look through some code. */
struct decode_pass {
	void (*visit)(void *argument, const struct reference *reference);
	void *argument;
	const cs_insn *instruction;
	uint64_t start, end;       /* of the code */
	struct decode_known registers[DECODE_REGISTERS];
	struct decode_state targets[DECODE_TARGETS];
	unsigned target_count;
	struct decode_known cases[DECODE_REGISTERS];  /* as they were at a jump to no address in particular */
	bool cut;                  /* the instruction before returns */
};

static inline void decode_state(const struct decode_pass *pass, enum reference_kind kind, uint64_t target)
{
	struct reference reference = { kind, (uintptr_t)pass->instruction->address, (uintptr_t)target };

	pass->visit(pass->argument, &reference);
}

/* decode_x86_64, decode_aarch64 - the references of pass->instruction. Return: does it jump in any case, and not come
 * back? */
bool decode_x86_64(struct decode_pass *pass);
bool decode_aarch64(struct decode_pass *pass);

#endif
