/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address comes in two: the page into a register (adrp), then the rest, where it is added or as the distance of a
 * memory operand. So registers are followed: in the order of the code, with what was known at a jump where that leads
 * to. An address that is only a base for distances is nobody's: compilers reach all variables of a file from one.
 * Which operand an instruction writes, capstone says; where it does not, the first one if its name is no store's. Of
 * a pair that is loaded it does not say the second.
 */
#ifdef HAVE_CAPSTONE
#include <string.h>
#include "native/decode_inside.h"

/* The names changed with version 6. */
#if CS_API_MAJOR >= 6
#define A64(name) AARCH64_##name
#define A64_DETAIL aarch64
typedef cs_aarch64 cs_a64;
typedef cs_aarch64_op cs_a64_op;
#else
#define A64(name) ARM64_##name
#define A64_DETAIL arm64
typedef cs_arm64 cs_a64;
typedef cs_arm64_op cs_a64_op;
#endif

#define NONE DECODE_REGISTERS
#define ARGUMENTS 8u          /* x0 to x7 */
#define FIRST_BETWEEN 16u     /* x16 to x18: what thunks use */
#define FIRST_SAVED 19u       /* from here on a call leaves them as they are */

static unsigned number(unsigned name)
{
	if (name >= A64(REG_X0) && name <= A64(REG_X28))
		return name - A64(REG_X0);
	if (name >= A64(REG_W0) && name <= A64(REG_W30))
		return name - A64(REG_W0);
	return name == A64(REG_X29) ? 29 : name == A64(REG_X30) ? 30 : NONE;
}

static struct decode_known *register_of(struct decode_pass *pass, const cs_a64_op *operand)
{
	unsigned at = operand->type == A64(OP_REG) ? number((unsigned)operand->reg) : NONE;

	return at == NONE ? NULL : &pass->registers[at];
}

static bool is(const cs_insn *instruction, const char *name)
{
	return strcmp(instruction->mnemonic, name) == 0;
}

static bool begins(const cs_insn *instruction, const char *with)
{
	return strncmp(instruction->mnemonic, with, strlen(with)) == 0;
}

static bool writes_first(const cs_insn *instruction)
{
	static const char *const readers[] = { "st", "cb", "tb", "cmp", "cmn", "tst", "ccm", "prf", "b", "ret" };

	for (unsigned i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		if (begins(instruction, readers[i]))
			return begins(instruction, "bi") || begins(instruction, "bf"); /* bic, bfi: else jumps */
	return true;
}

static bool is_pair(const cs_insn *instruction)
{
	return begins(instruction, "ldp") || begins(instruction, "ldnp") || begins(instruction, "ldxp") ||
	       begins(instruction, "ldaxp");
}

static bool writes(const cs_insn *instruction, const cs_a64 *detail, unsigned operand)
{
	bool said = false;

	if (operand < 2 && is_pair(instruction))
		return true;
	for (unsigned i = 0; i < detail->op_count; i++)
		said |= detail->operands[i].access & CS_AC_WRITE;
	if (said)
		return detail->operands[operand].access & CS_AC_WRITE;
	return operand == 0 && writes_first(instruction);
}

static void set(struct decode_known *known, uint64_t value, bool whole)
{
	*known = (struct decode_known){ .known = true, .whole = whole, .value = value };
}

/* A jump may come back to what stands before: what is known there stays. */
static void remember(struct decode_pass *pass, uint64_t address)
{
	struct decode_state *target = &pass->targets[pass->target_count % DECODE_TARGETS];

	if (address <= pass->instruction->address)
		return;
	target->address = address;
	memcpy(target->registers, pass->registers, sizeof(target->registers));
	pass->target_count++;
}

/* What leads here, beside the instruction before. */
static void arrive(struct decode_pass *pass)
{
	bool found = false;

	for (unsigned i = 0; i < DECODE_TARGETS && i < pass->target_count; i++) {
		const struct decode_state *state = &pass->targets[i];

		if (state->address != pass->instruction->address)
			continue;
		if (pass->cut && !found)
			memcpy(pass->registers, state->registers, sizeof(pass->registers));
		for (unsigned at = 0; at < DECODE_REGISTERS; at++) {
			const struct decode_known *one = &pass->registers[at], *other = &state->registers[at];

			if (!one->known)
				pass->registers[at] = *other;
			else if (other->known && other->whole && other->value != one->value)
				decode_state(pass, REFERENCE_BASE, other->value);
		}
		found = true;
	}
	if (pass->cut && !found)
		memcpy(pass->registers, pass->cases, sizeof(pass->registers));
	pass->cut = false;
}

/* An address in an argument's register is passed on, unless it has been used as a base: then it may be left over.
 * Behind a jump that says no address anything may be used. */
static void pass_on(struct decode_pass *pass, unsigned arguments, bool anywhere)
{
	for (unsigned at = 0; at < DECODE_REGISTERS; at++) {
		const struct decode_known *known = &pass->registers[at];
		bool argument = at < arguments || (anywhere && at >= FIRST_BETWEEN && at < FIRST_SAVED);

		if (known->known && known->whole && argument && !known->used)
			decode_state(pass, REFERENCE_ADDRESS, known->value);
		else if (known->known && known->whole && anywhere)
			decode_state(pass, REFERENCE_BASE, known->value);
	}
}

static void look_at_memory(struct decode_pass *pass, const cs_a64_op *operand)
{
	unsigned base = number((unsigned)operand->mem.base);
	struct decode_known *known = base == NONE ? NULL : &pass->registers[base];

	if (!known || !known->known)
		return;
	decode_state(pass, operand->mem.index == A64(REG_INVALID) ? REFERENCE_DATA : REFERENCE_ADDRESS,
		     known->value + (uint64_t)(int64_t)operand->mem.disp);
	known->used = true;
}

/* Does the instruction give its first register an address? */
static bool makes_address(struct decode_pass *pass, const cs_a64 *detail)
{
	const cs_insn *instruction = pass->instruction;
	const cs_a64_op *operands = detail->operands;
	struct decode_known *to = detail->op_count ? register_of(pass, &operands[0]) : NULL, *from;

	if (!to || detail->op_count < 2)
		return false;
	if ((is(instruction, "adrp") || is(instruction, "adr")) && operands[1].type == A64(OP_IMM)) {
		set(to, (uint64_t)operands[1].imm, is(instruction, "adr"));
		return true;
	}
	from = register_of(pass, &operands[1]);
	if (!from || !from->known)
		return false;
	if (is(instruction, "mov") && detail->op_count == 2) {
		*to = *from;
		return true;
	}
	if (is(instruction, "add") && detail->op_count == 3 && operands[2].type == A64(OP_IMM)) {
		set(to, from->value + ((uint64_t)operands[2].imm << operands[2].shift.value), true);
		return true;
	}
	return false;
}

/* Is what stood in the register lost? */
static bool overwrites(const cs_insn *instruction, const cs_a64 *detail, unsigned operand)
{
	return (operand == 0 || is_pair(instruction)) && writes(instruction, detail, operand);
}

static void look_at_operands(struct decode_pass *pass, const cs_a64 *detail)
{
	const cs_insn *instruction = pass->instruction;

	for (unsigned i = 0; i < detail->op_count; i++) {
		const cs_a64_op *operand = &detail->operands[i];
		const struct decode_known *known = register_of(pass, operand);

		if (operand->type == A64(OP_MEM))
			look_at_memory(pass, operand);
		else if (operand->type == A64(OP_IMM) && begins(instruction, "ldr") && i == 1 && detail->op_count == 2)
			decode_state(pass, REFERENCE_DATA, (uint64_t)operand->imm);
		else if (known && known->known && known->whole && !overwrites(instruction, detail, i))
			decode_state(pass, REFERENCE_ADDRESS, known->value);
	}
	for (unsigned i = 0; i < detail->op_count; i++) {
		const cs_a64_op *operand = &detail->operands[i];
		struct decode_known *known = register_of(pass, operand);
		unsigned base = operand->type == A64(OP_MEM) ? number((unsigned)operand->mem.base) : NONE;

		if (known && writes(instruction, detail, i))
			known->known = false;
		/* Whether the base is written back as well is in another place in each version: it has an exclamation mark,
		 * or the distance behind the brackets. */
		if (base != NONE && strpbrk(instruction->op_str, "]") && strpbrk(strchr(instruction->op_str, ']'), "!,"))
			pass->registers[base].known = false;
	}
}

/* Where the instruction jumps to, 0: it does not say. The bit that tbz tests is a number as well, and stands before. */
static uint64_t stated_target(const cs_a64 *detail)
{
	const cs_a64_op *last = detail->op_count ? &detail->operands[detail->op_count - 1] : NULL;

	return last && last->type == A64(OP_IMM) ? (uint64_t)last->imm : 0;
}

static void jump(struct decode_pass *pass, const cs_a64 *detail, bool call)
{
	const cs_insn *instruction = pass->instruction;
	uint64_t target = stated_target(detail);
	bool outside = target < pass->start || target >= pass->end, returns = is(instruction, "ret");
	bool anywhere = begins(instruction, "br");

	if (call || anywhere || (is(instruction, "b") && outside))
		pass_on(pass, ARGUMENTS, anywhere);
	else if (returns)
		pass_on(pass, 1, false);
	if (target)
		decode_state(pass, REFERENCE_CALL, target);
	if (target && !call)
		remember(pass, target);
	if (anywhere)
		memcpy(pass->cases, pass->registers, sizeof(pass->cases));
	for (unsigned at = 0; call && at < DECODE_REGISTERS; at++)
		if (at < FIRST_SAVED || at == 30)
			pass->registers[at].known = false;
	/* Behind any other jump what was known stays: a loop is often entered by one to its condition. */
	pass->cut = returns;
}

bool decode_aarch64(struct decode_pass *pass)
{
	const cs_insn *instruction = pass->instruction;
	const cs_a64 *detail = &instruction->detail->A64_DETAIL;
	bool call = begins(instruction, "bl"), always = is(instruction, "b") || begins(instruction, "br");

	arrive(pass);
	if (call || always || is(instruction, "ret") || begins(instruction, "b.") || begins(instruction, "cb") ||
	    begins(instruction, "tb"))
		jump(pass, detail, call);
	else if (!makes_address(pass, detail))
		look_at_operands(pass, detail);
	return always;
}

#endif
