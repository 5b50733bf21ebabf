/* SPDX-License-Identifier: Apache-2.0 */
/* opcodes.h - the bytecode of each CPython that weakcall reads: what an opcode does, what differs between versions. */
#ifndef PYTHON_OPCODES_H
#define PYTHON_OPCODES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an instruction does to the abstract machine. Those from ACTION_FIRST_RAISING on may raise by themselves. */
enum action {
	ACTION_UNKNOWN, /* not in the table: not understood */
	ACTION_NOTHING, ACTION_DROP, ACTION_END_FOR, ACTION_POP_ITER, ACTION_DUPLICATE, ACTION_COPY, ACTION_SWAP,
	ACTION_ROTATE, ACTION_ROTATE_N, ACTION_PUSH_NULL,
	ACTION_CONSTANT, ACTION_COMMON_CONSTANT, ACTION_OBJECT, ACTION_ASSERTION_ERROR,
	ACTION_LOAD, ACTION_LOAD_LOAD, ACTION_STORE, ACTION_STORE_STORE, ACTION_STORE_LOAD, ACTION_DELETE,
	ACTION_LOAD_CELL, ACTION_LOAD_FREE, ACTION_STORE_FREE, ACTION_DELETE_FREE,
	ACTION_NOT, ACTION_TRUTH, ACTION_IS, ACTION_COMPARE,
	ACTION_JUMP, ACTION_JUMP_ABSOLUTE, ACTION_JUMP_BACK,
	ACTION_BRANCH_TRUE, ACTION_BRANCH_FALSE, ACTION_BRANCH_NONE, ACTION_BRANCH_NOT_NONE,
	ACTION_BACK_TRUE, ACTION_BACK_FALSE, ACTION_BACK_NONE, ACTION_BACK_NOT_NONE,
	ACTION_KEEP_TRUE, ACTION_KEEP_FALSE, ACTION_RETURN,
	ACTION_SETUP_FINALLY, ACTION_POP_BLOCK, ACTION_POP_EXCEPT, ACTION_PUSH_EXC_INFO, ACTION_CHECK_MATCH,
	ACTION_JUMP_NOT_MATCH, ACTION_RERAISE, ACTION_RAISE,
	ACTION_FIRST_RAISING,
	ACTION_SETUP_WITH = ACTION_FIRST_RAISING, ACTION_PLAIN, ACTION_QUIET,
	ACTION_NEED_FIRST, ACTION_NEED_SECOND, ACTION_NEED_THIRD, /* that operand, from the top, must not be None */
	ACTION_LOAD_GLOBAL, ACTION_STORE_GLOBAL, ACTION_LOAD_ATTR, ACTION_LOAD_METHOD, ACTION_STORE_ATTR, ACTION_SUPER_ATTR,
	ACTION_GET_ITER, ACTION_FOR_ITER, ACTION_UNPACK, ACTION_UNPACK_EX, ACTION_BINARY_OP,
	ACTION_BUILD_TUPLE, ACTION_BUILD, ACTION_BUILD_PAIRS, ACTION_BUILD_KEYED, ACTION_FORMAT, ACTION_MAKE_FUNCTION,
	ACTION_CALL_BARE, ACTION_CALL_BARE_KW, ACTION_CALL, ACTION_CALL_KW, ACTION_CALL_EX,
};

#define OPCODE_VERSIONS 7

struct opcode {
	const char *name;
	uint8_t action, pops, pushes;
	uint8_t numbers[OPCODE_VERSIONS]; /* by opcode_version.column; 0: this version has none of that name */
};

enum null_place { NULL_NOWHERE, NULL_BELOW, NULL_ABOVE }; /* where a call's empty self stands, seen from the callable */

/* One row per version: everything about the instruction set that is not an opcode's number. */
struct opcode_version {
	unsigned version;
	uint8_t column;
	bool jumps_in_bytes;     /* a jump's argument counts bytes, else code units of two bytes */
	bool tables;             /* exception table, inline caches, relative jumps; else block stack and absolute jumps */
	bool joined_variables;   /* locals, cells and free variables share one numbering */
	uint8_t null;            /* enum null_place */
	uint8_t global_shift;    /* LOAD_GLOBAL's name index is arg >> shift; the bit below asks for a NULL */
	uint8_t attr_shift;      /* likewise LOAD_ATTR */
	uint8_t compare_shift;
	uint8_t subscript;       /* BINARY_OP's argument for [], or OPCODE_NEVER */
	uint8_t none_constant;   /* LOAD_COMMON_CONSTANT's argument for None, or OPCODE_NEVER */
	uint8_t function_pops;   /* MAKE_FUNCTION: fixed operands; function_flags: and one for each flag of its argument */
	bool function_flags;
	uint8_t call_ex_pops;    /* CALL_FUNCTION_EX: fixed operands; call_ex_flag: one more if its argument says so */
	bool call_ex_flag;
	uint8_t end_for_pops, pop_iter_pops, iter_size; /* end_for_pops 0: FOR_ITER itself removes the iterator */
};
#define OPCODE_NEVER 0xff

/* opcodes_version - the row of @version (0x030b for 3.11), or NULL if that CPython is not known. Pure. */
const struct opcode_version *opcodes_version(unsigned version);

/* opcodes_decode - fill @by_number with the table's entry for each opcode number of @version; NULL where none. */
void opcodes_decode(const struct opcode_version *version, const struct opcode *by_number[256]);

/* opcodes_all - the whole table and its length, for checking it against a real CPython. */
const struct opcode *opcodes_all(size_t *count);

#endif
