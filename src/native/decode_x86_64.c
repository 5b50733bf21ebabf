/* SPDX-License-Identifier: Apache-2.0 */
#ifdef HAVE_CAPSTONE
#include "native/decode_inside.h"

bool decode_x86_64(struct decode_pass *pass)
{
	const cs_insn *instruction = pass->instruction;
	const cs_x86 *x86 = &instruction->detail->x86;
	bool jumps = false, lea = instruction->id == X86_INS_LEA;

	for (unsigned i = 0; i < instruction->detail->groups_count; i++)
		jumps |= instruction->detail->groups[i] == X86_GRP_JUMP || instruction->detail->groups[i] == X86_GRP_CALL;
	for (unsigned i = 0; i < x86->op_count; i++) {
		const cs_x86_op *operand = &x86->operands[i];

		if (operand->type == X86_OP_IMM)
			decode_state(pass, jumps ? REFERENCE_CALL : REFERENCE_ADDRESS, (uint64_t)operand->imm);
		if (operand->type != X86_OP_MEM || operand->mem.segment != X86_REG_INVALID)
			continue;
		if (operand->mem.base == X86_REG_RIP)
			decode_state(pass, lea ? REFERENCE_ADDRESS : REFERENCE_DATA,
				     instruction->address + instruction->size + (uint64_t)operand->mem.disp);
		else if (operand->mem.base == X86_REG_INVALID && operand->mem.index == X86_REG_INVALID && !lea)
			decode_state(pass, REFERENCE_DATA, (uint64_t)operand->mem.disp);
		else /* an array at a fixed address */
			decode_state(pass, REFERENCE_ADDRESS, (uint64_t)operand->mem.disp);
	}
	return instruction->id == X86_INS_JMP;
}

#endif
