/* SPDX-License-Identifier: Apache-2.0 */
#include "python/opcodes.h"

/* X(name, action, operands taken at least, operands given, its number in 3.9, 3.10, 3.11, 3.12, 3.13, 3.14, 3.15) */
#define OPCODES(X) \
	/* nothing happens */ \
	X(NOP, NOTHING, 0, 0, 9, 9, 9, 9, 30, 27, 25) \
	X(RESUME, NOTHING, 0, 0, 0, 0, 151, 151, 149, 128, 128) \
	X(PRECALL, NOTHING, 0, 0, 0, 0, 166, 0, 0, 0, 0) \
	X(KW_NAMES, NOTHING, 0, 0, 0, 0, 172, 172, 0, 0, 0) \
	X(COPY_FREE_VARS, NOTHING, 0, 0, 0, 0, 149, 149, 62, 60, 58) \
	X(NOT_TAKEN, NOTHING, 0, 0, 0, 0, 0, 0, 0, 28, 26) \
	X(MAKE_CELL, NOTHING, 0, 0, 0, 0, 135, 135, 94, 97, 96) \
	X(EXTENDED_ARG, NOTHING, 0, 0, 144, 144, 144, 144, 71, 69, 67) \
	/* the operand stack */ \
	X(POP_TOP, DROP, 1, 0, 1, 1, 1, 1, 32, 31, 29) \
	X(END_FOR, END_FOR, 0, 0, 0, 0, 0, 4, 11, 9, 9) \
	X(POP_ITER, POP_ITER, 0, 0, 0, 0, 0, 0, 0, 30, 28) \
	X(DUP_TOP, DUPLICATE, 1, 2, 4, 4, 0, 0, 0, 0, 0) \
	X(DUP_TOP_TWO, DUPLICATE, 2, 4, 5, 5, 0, 0, 0, 0, 0) \
	X(COPY, COPY, 0, 1, 0, 0, 120, 120, 61, 59, 57) \
	X(SWAP, SWAP, 0, 0, 0, 0, 99, 99, 115, 117, 116) \
	X(ROT_TWO, ROTATE, 2, 2, 2, 2, 0, 0, 0, 0, 0) \
	X(ROT_THREE, ROTATE, 3, 3, 3, 3, 0, 0, 0, 0, 0) \
	X(ROT_FOUR, ROTATE, 4, 4, 6, 6, 0, 0, 0, 0, 0) \
	X(ROT_N, ROTATE_N, 0, 0, 0, 99, 0, 0, 0, 0, 0) \
	X(PUSH_NULL, PUSH_NULL, 0, 1, 0, 0, 2, 2, 34, 33, 31) \
	/* constants, variables */ \
	X(LOAD_CONST, CONSTANT, 0, 1, 100, 100, 100, 100, 83, 82, 81) \
	X(LOAD_COMMON_CONSTANT, COMMON_CONSTANT, 0, 1, 0, 0, 0, 0, 0, 81, 80) \
	X(LOAD_SMALL_INT, OBJECT, 0, 1, 0, 0, 0, 0, 0, 94, 93) \
	X(LOAD_BUILD_CLASS, OBJECT, 0, 1, 71, 71, 71, 71, 24, 21, 19) \
	X(LOAD_ASSERTION_ERROR, ASSERTION_ERROR, 0, 1, 74, 74, 74, 74, 23, 0, 0) \
	X(LOAD_FAST, LOAD, 0, 1, 124, 124, 124, 124, 85, 84, 83) \
	X(LOAD_FAST_BORROW, LOAD, 0, 1, 0, 0, 0, 0, 0, 86, 85) \
	X(LOAD_FAST_CHECK, LOAD, 0, 1, 0, 0, 0, 127, 87, 88, 87) \
	X(LOAD_FAST_AND_CLEAR, LOAD, 0, 1, 0, 0, 0, 143, 86, 85, 84) \
	X(LOAD_FAST_LOAD_FAST, LOAD_LOAD, 0, 2, 0, 0, 0, 0, 88, 89, 88) \
	X(LOAD_FAST_BORROW_LOAD_FAST_BORROW, LOAD_LOAD, 0, 2, 0, 0, 0, 0, 0, 87, 86) \
	X(STORE_FAST, STORE, 1, 0, 125, 125, 125, 125, 110, 112, 111) \
	X(STORE_FAST_STORE_FAST, STORE_STORE, 2, 0, 0, 0, 0, 0, 112, 114, 113) \
	X(STORE_FAST_LOAD_FAST, STORE_LOAD, 1, 1, 0, 0, 0, 0, 111, 113, 112) \
	X(DELETE_FAST, DELETE, 0, 0, 126, 126, 126, 126, 65, 63, 61) \
	X(LOAD_CLOSURE, LOAD_CELL, 0, 1, 135, 135, 136, 136, 0, 0, 0) \
	X(LOAD_DEREF, LOAD_FREE, 0, 1, 136, 136, 137, 137, 84, 83, 82) \
	X(STORE_DEREF, STORE_FREE, 1, 0, 137, 137, 138, 138, 109, 111, 110) \
	X(DELETE_DEREF, DELETE_FREE, 0, 0, 138, 138, 139, 139, 64, 62, 60) \
	/* a None test and truth */ \
	X(UNARY_NOT, NOT, 1, 1, 12, 12, 12, 12, 43, 42, 40) \
	X(TO_BOOL, TRUTH, 1, 1, 0, 0, 0, 0, 40, 39, 37) \
	X(IS_OP, IS, 2, 1, 117, 117, 117, 117, 76, 74, 73) \
	X(COMPARE_OP, COMPARE, 2, 1, 107, 107, 107, 107, 58, 56, 54) \
	/* jumps */ \
	X(JUMP_FORWARD, JUMP, 0, 0, 110, 110, 110, 110, 79, 77, 76) \
	X(JUMP_ABSOLUTE, JUMP_ABSOLUTE, 0, 0, 113, 113, 0, 0, 0, 0, 0) \
	X(JUMP_BACKWARD, JUMP_BACK, 0, 0, 0, 0, 140, 140, 77, 75, 74) \
	X(JUMP_BACKWARD_NO_INTERRUPT, JUMP_BACK, 0, 0, 0, 0, 134, 134, 78, 76, 75) \
	X(POP_JUMP_IF_TRUE, BRANCH_TRUE, 1, 0, 115, 115, 0, 115, 100, 103, 102) \
	X(POP_JUMP_IF_FALSE, BRANCH_FALSE, 1, 0, 114, 114, 0, 114, 97, 100, 99) \
	X(POP_JUMP_IF_NONE, BRANCH_NONE, 1, 0, 0, 0, 0, 129, 98, 101, 100) \
	X(POP_JUMP_IF_NOT_NONE, BRANCH_NOT_NONE, 1, 0, 0, 0, 0, 128, 99, 102, 101) \
	X(POP_JUMP_FORWARD_IF_TRUE, BRANCH_TRUE, 1, 0, 0, 0, 115, 0, 0, 0, 0) \
	X(POP_JUMP_FORWARD_IF_FALSE, BRANCH_FALSE, 1, 0, 0, 0, 114, 0, 0, 0, 0) \
	X(POP_JUMP_FORWARD_IF_NONE, BRANCH_NONE, 1, 0, 0, 0, 129, 0, 0, 0, 0) \
	X(POP_JUMP_FORWARD_IF_NOT_NONE, BRANCH_NOT_NONE, 1, 0, 0, 0, 128, 0, 0, 0, 0) \
	X(POP_JUMP_BACKWARD_IF_TRUE, BACK_TRUE, 1, 0, 0, 0, 176, 0, 0, 0, 0) \
	X(POP_JUMP_BACKWARD_IF_FALSE, BACK_FALSE, 1, 0, 0, 0, 175, 0, 0, 0, 0) \
	X(POP_JUMP_BACKWARD_IF_NONE, BACK_NONE, 1, 0, 0, 0, 174, 0, 0, 0, 0) \
	X(POP_JUMP_BACKWARD_IF_NOT_NONE, BACK_NOT_NONE, 1, 0, 0, 0, 173, 0, 0, 0, 0) \
	X(JUMP_IF_TRUE_OR_POP, KEEP_TRUE, 1, 0, 112, 112, 112, 0, 0, 0, 0) \
	X(JUMP_IF_FALSE_OR_POP, KEEP_FALSE, 1, 0, 111, 111, 111, 0, 0, 0, 0) \
	X(RETURN_VALUE, RETURN, 1, 0, 83, 83, 83, 83, 36, 35, 33) \
	X(RETURN_CONST, RETURN, 0, 0, 0, 0, 0, 121, 103, 0, 0) \
	/* exceptions */ \
	X(SETUP_FINALLY, SETUP_FINALLY, 0, 0, 122, 122, 0, 0, 0, 0, 0) \
	X(POP_BLOCK, POP_BLOCK, 0, 0, 87, 87, 0, 0, 0, 0, 0) \
	X(POP_EXCEPT, POP_EXCEPT, 0, 0, 89, 89, 89, 89, 31, 29, 27) \
	X(PUSH_EXC_INFO, PUSH_EXC_INFO, 0, 1, 0, 0, 35, 35, 33, 32, 30) \
	X(CHECK_EXC_MATCH, CHECK_MATCH, 1, 1, 0, 0, 36, 36, 7, 6, 6) \
	X(JUMP_IF_NOT_EXC_MATCH, JUMP_NOT_MATCH, 2, 0, 121, 121, 0, 0, 0, 0, 0) \
	X(RERAISE, RERAISE, 0, 0, 48, 119, 119, 119, 102, 105, 104) \
	X(RAISE_VARARGS, RAISE, 0, 0, 130, 130, 130, 130, 101, 104, 103) \
	/* may raise from here on; a with statement */ \
	X(SETUP_WITH, SETUP_WITH, 1, 2, 143, 143, 0, 0, 0, 0, 0) \
	X(BEFORE_WITH, NEED_FIRST, 1, 2, 0, 0, 53, 53, 2, 0, 0) \
	X(LOAD_SPECIAL, NEED_FIRST, 1, 2, 0, 0, 0, 0, 0, 95, 94) \
	X(WITH_EXCEPT_START, PLAIN, 0, 1, 49, 49, 49, 49, 44, 43, 41) \
	/* names, attributes, iteration */ \
	X(LOAD_GLOBAL, LOAD_GLOBAL, 0, 1, 116, 116, 116, 116, 91, 92, 91) \
	X(STORE_GLOBAL, STORE_GLOBAL, 1, 0, 97, 97, 97, 97, 113, 115, 114) \
	X(DELETE_GLOBAL, STORE_GLOBAL, 0, 0, 98, 98, 98, 98, 66, 64, 62) \
	X(LOAD_ATTR, LOAD_ATTR, 1, 1, 106, 106, 106, 106, 82, 80, 79) \
	X(LOAD_METHOD, LOAD_METHOD, 1, 2, 160, 160, 160, 0, 0, 0, 0) \
	X(STORE_ATTR, STORE_ATTR, 2, 0, 95, 95, 95, 95, 108, 110, 109) \
	X(DELETE_ATTR, STORE_ATTR, 1, 0, 96, 96, 96, 96, 63, 61, 59) \
	X(LOAD_SUPER_ATTR, SUPER_ATTR, 3, 1, 0, 0, 0, 141, 93, 96, 95) \
	X(IMPORT_NAME, PLAIN, 2, 1, 108, 108, 108, 108, 75, 73, 72) \
	X(IMPORT_FROM, PLAIN, 0, 1, 109, 109, 109, 109, 74, 72, 71) \
	X(GET_ITER, GET_ITER, 1, 1, 68, 68, 68, 68, 19, 16, 70) \
	X(FOR_ITER, FOR_ITER, 0, 1, 93, 93, 93, 93, 72, 70, 68) \
	X(UNPACK_SEQUENCE, UNPACK, 1, 0, 92, 92, 92, 92, 117, 119, 118) \
	X(UNPACK_EX, UNPACK_EX, 1, 0, 94, 94, 94, 94, 116, 118, 117) \
	/* operators; NEED_nth: that operand, counted from the top, raises TypeError if it is None */ \
	X(BINARY_OP, BINARY_OP, 2, 1, 0, 0, 122, 122, 45, 44, 42) \
	X(UNARY_POSITIVE, NEED_FIRST, 1, 1, 10, 10, 10, 0, 0, 0, 0) \
	X(UNARY_NEGATIVE, NEED_FIRST, 1, 1, 11, 11, 11, 11, 42, 41, 39) \
	X(UNARY_INVERT, NEED_FIRST, 1, 1, 15, 15, 15, 15, 41, 40, 38) \
	X(CONTAINS_OP, NEED_FIRST, 2, 1, 118, 118, 118, 118, 59, 57, 55) \
	X(BINARY_SUBSCR, NEED_SECOND, 2, 1, 25, 25, 25, 25, 5, 0, 0) \
	X(STORE_SUBSCR, NEED_SECOND, 3, 0, 60, 60, 60, 60, 39, 38, 36) \
	X(DELETE_SUBSCR, NEED_SECOND, 2, 0, 61, 61, 61, 61, 9, 8, 8) \
	X(BINARY_SLICE, NEED_THIRD, 3, 1, 0, 0, 0, 26, 4, 1, 1) \
	X(STORE_SLICE, NEED_THIRD, 4, 0, 0, 0, 0, 27, 38, 37, 35) \
	X(BINARY_POWER, PLAIN, 2, 1, 19, 19, 0, 0, 0, 0, 0) \
	X(INPLACE_POWER, PLAIN, 2, 1, 67, 67, 0, 0, 0, 0, 0) \
	X(BINARY_MULTIPLY, PLAIN, 2, 1, 20, 20, 0, 0, 0, 0, 0) \
	X(INPLACE_MULTIPLY, PLAIN, 2, 1, 57, 57, 0, 0, 0, 0, 0) \
	X(BINARY_MODULO, PLAIN, 2, 1, 22, 22, 0, 0, 0, 0, 0) \
	X(INPLACE_MODULO, PLAIN, 2, 1, 59, 59, 0, 0, 0, 0, 0) \
	X(BINARY_ADD, PLAIN, 2, 1, 23, 23, 0, 0, 0, 0, 0) \
	X(INPLACE_ADD, PLAIN, 2, 1, 55, 55, 0, 0, 0, 0, 0) \
	X(BINARY_SUBTRACT, PLAIN, 2, 1, 24, 24, 0, 0, 0, 0, 0) \
	X(INPLACE_SUBTRACT, PLAIN, 2, 1, 56, 56, 0, 0, 0, 0, 0) \
	X(BINARY_FLOOR_DIVIDE, PLAIN, 2, 1, 26, 26, 0, 0, 0, 0, 0) \
	X(INPLACE_FLOOR_DIVIDE, PLAIN, 2, 1, 28, 28, 0, 0, 0, 0, 0) \
	X(BINARY_TRUE_DIVIDE, PLAIN, 2, 1, 27, 27, 0, 0, 0, 0, 0) \
	X(INPLACE_TRUE_DIVIDE, PLAIN, 2, 1, 29, 29, 0, 0, 0, 0, 0) \
	X(BINARY_MATRIX_MULTIPLY, PLAIN, 2, 1, 16, 16, 0, 0, 0, 0, 0) \
	X(INPLACE_MATRIX_MULTIPLY, PLAIN, 2, 1, 17, 17, 0, 0, 0, 0, 0) \
	X(BINARY_LSHIFT, PLAIN, 2, 1, 62, 62, 0, 0, 0, 0, 0) \
	X(INPLACE_LSHIFT, PLAIN, 2, 1, 75, 75, 0, 0, 0, 0, 0) \
	X(BINARY_RSHIFT, PLAIN, 2, 1, 63, 63, 0, 0, 0, 0, 0) \
	X(INPLACE_RSHIFT, PLAIN, 2, 1, 76, 76, 0, 0, 0, 0, 0) \
	X(BINARY_AND, PLAIN, 2, 1, 64, 64, 0, 0, 0, 0, 0) \
	X(INPLACE_AND, PLAIN, 2, 1, 77, 77, 0, 0, 0, 0, 0) \
	X(BINARY_XOR, PLAIN, 2, 1, 65, 65, 0, 0, 0, 0, 0) \
	X(INPLACE_XOR, PLAIN, 2, 1, 78, 78, 0, 0, 0, 0, 0) \
	X(BINARY_OR, PLAIN, 2, 1, 66, 66, 0, 0, 0, 0, 0) \
	X(INPLACE_OR, PLAIN, 2, 1, 79, 79, 0, 0, 0, 0, 0) \
	/* containers, texts, functions */ \
	X(BUILD_TUPLE, BUILD_TUPLE, 0, 1, 102, 102, 102, 102, 52, 51, 49) \
	X(BUILD_LIST, BUILD, 0, 1, 103, 103, 103, 103, 47, 46, 44) \
	X(BUILD_SET, BUILD, 0, 1, 104, 104, 104, 104, 49, 48, 46) \
	X(BUILD_STRING, BUILD, 0, 1, 157, 157, 157, 157, 51, 50, 48) \
	X(BUILD_SLICE, BUILD, 0, 1, 133, 133, 133, 133, 50, 49, 47) \
	X(BUILD_MAP, BUILD_PAIRS, 0, 1, 105, 105, 105, 105, 48, 47, 45) \
	X(BUILD_CONST_KEY_MAP, BUILD_KEYED, 0, 1, 156, 156, 156, 156, 46, 0, 0) \
	X(LIST_APPEND, PLAIN, 1, 0, 145, 145, 145, 145, 80, 78, 77) \
	X(SET_ADD, PLAIN, 1, 0, 146, 146, 146, 146, 105, 107, 106) \
	X(MAP_ADD, PLAIN, 2, 0, 147, 147, 147, 147, 95, 98, 97) \
	X(LIST_EXTEND, NEED_FIRST, 1, 0, 162, 162, 162, 162, 81, 79, 78) \
	X(SET_UPDATE, NEED_FIRST, 1, 0, 163, 163, 163, 163, 107, 109, 108) \
	X(DICT_UPDATE, NEED_FIRST, 1, 0, 165, 165, 165, 165, 69, 67, 65) \
	X(DICT_MERGE, NEED_FIRST, 1, 0, 164, 164, 164, 164, 68, 66, 64) \
	X(LIST_TO_TUPLE, PLAIN, 1, 1, 82, 82, 82, 0, 0, 0, 0) \
	X(CALL_INTRINSIC_1, PLAIN, 1, 1, 0, 0, 0, 173, 55, 53, 51) \
	X(CALL_INTRINSIC_2, PLAIN, 2, 1, 0, 0, 0, 174, 56, 54, 52) \
	X(FORMAT_VALUE, FORMAT, 1, 1, 155, 155, 155, 155, 0, 0, 0) \
	X(FORMAT_SIMPLE, QUIET, 1, 1, 0, 0, 0, 0, 14, 12, 12) \
	X(FORMAT_WITH_SPEC, PLAIN, 2, 1, 0, 0, 0, 0, 15, 13, 13) \
	X(CONVERT_VALUE, QUIET, 1, 1, 0, 0, 0, 0, 60, 58, 56) \
	X(GET_LEN, QUIET, 0, 1, 0, 30, 30, 30, 20, 18, 16) \
	X(MATCH_SEQUENCE, QUIET, 0, 1, 0, 32, 32, 32, 29, 26, 24) \
	X(MATCH_MAPPING, QUIET, 0, 1, 0, 31, 31, 31, 28, 25, 23) \
	X(MAKE_FUNCTION, MAKE_FUNCTION, 1, 1, 132, 132, 132, 132, 26, 23, 21) \
	X(SET_FUNCTION_ATTRIBUTE, PLAIN, 2, 1, 0, 0, 0, 0, 106, 108, 107) \
	/* calls */ \
	X(CALL_FUNCTION, CALL_BARE, 1, 1, 131, 131, 0, 0, 0, 0, 0) \
	X(CALL_FUNCTION_KW, CALL_BARE_KW, 2, 1, 141, 141, 0, 0, 0, 0, 0) \
	X(CALL_METHOD, CALL, 2, 1, 161, 161, 0, 0, 0, 0, 0) \
	X(CALL, CALL, 2, 1, 0, 0, 171, 171, 53, 52, 50) \
	X(CALL_KW, CALL_KW, 3, 1, 0, 0, 0, 0, 57, 55, 53) \
	X(CALL_FUNCTION_EX, CALL_EX, 2, 1, 142, 142, 142, 142, 54, 4, 4)
#define ROW(name, action, pops, pushes, ...) {#name, ACTION_##action, pops, pushes, {__VA_ARGS__}},
static const struct opcode opcodes[] = {OPCODES(ROW)};

static const struct opcode_version versions[OPCODE_VERSIONS] = {
	{.version = 0x0309, .column = 0, .jumps_in_bytes = true, .null = NULL_NOWHERE, .subscript = OPCODE_NEVER,
	 .none_constant = OPCODE_NEVER, .function_pops = 2, .function_flags = true, .call_ex_pops = 2, .call_ex_flag = true,
	 .iter_size = 1},
	{.version = 0x030a, .column = 1, .null = NULL_NOWHERE, .subscript = OPCODE_NEVER, .none_constant = OPCODE_NEVER,
	 .function_pops = 2, .function_flags = true, .call_ex_pops = 2, .call_ex_flag = true, .iter_size = 1},
	{.version = 0x030b, .column = 2, .tables = true, .joined_variables = true, .null = NULL_BELOW, .global_shift = 1,
	 .subscript = OPCODE_NEVER, .none_constant = OPCODE_NEVER, .function_pops = 1, .function_flags = true,
	 .call_ex_pops = 3, .call_ex_flag = true, .iter_size = 1},
	{.version = 0x030c, .column = 3, .tables = true, .joined_variables = true, .null = NULL_BELOW, .global_shift = 1,
	 .attr_shift = 1, .compare_shift = 4, .subscript = OPCODE_NEVER, .none_constant = OPCODE_NEVER, .function_pops = 1,
	 .function_flags = true, .call_ex_pops = 3, .call_ex_flag = true, .end_for_pops = 2, .iter_size = 1},
	{.version = 0x030d, .column = 4, .tables = true, .joined_variables = true, .null = NULL_ABOVE, .global_shift = 1,
	 .attr_shift = 1, .compare_shift = 5, .subscript = OPCODE_NEVER, .none_constant = OPCODE_NEVER, .function_pops = 1,
	 .call_ex_pops = 3, .call_ex_flag = true, .end_for_pops = 1, .iter_size = 1},
	{.version = 0x030e, .column = 5, .tables = true, .joined_variables = true, .null = NULL_ABOVE, .global_shift = 1,
	 .attr_shift = 1, .compare_shift = 5, .subscript = 26, .none_constant = OPCODE_NEVER, .function_pops = 1,
	 .call_ex_pops = 4, .end_for_pops = 1, .pop_iter_pops = 1, .iter_size = 1},
	{.version = 0x030f, .column = 6, .tables = true, .joined_variables = true, .null = NULL_ABOVE, .global_shift = 1,
	 .attr_shift = 1, .compare_shift = 5, .subscript = 26, .none_constant = 7, .function_pops = 1, .call_ex_pops = 4,
	 .end_for_pops = 1, .pop_iter_pops = 2, .iter_size = 2},
};

const struct opcode_version *opcodes_version(unsigned version)
{
	for (unsigned i = 0; i < OPCODE_VERSIONS; i++)
		if (versions[i].version == version)
			return &versions[i];
	return NULL;
}

void opcodes_decode(const struct opcode_version *version, const struct opcode *by_number[256])
{
	for (unsigned number = 0; number < 256; number++)
		by_number[number] = NULL;
	for (size_t i = 0; i < sizeof(opcodes) / sizeof(*opcodes); i++)
		if (opcodes[i].numbers[version->column])
			by_number[opcodes[i].numbers[version->column]] = &opcodes[i];
}

const struct opcode *opcodes_all(size_t *count)
{
	*count = sizeof(opcodes) / sizeof(*opcodes);
	return opcodes;
}
