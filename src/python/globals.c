/* SPDX-License-Identifier: Apache-2.0 */
#include "python/globals.h"

#include <string.h>

#include "python/opcodes.h"

struct reader {
	const struct opcode_version *version;
	const struct opcode *opcodes[256];
	const uint8_t *code;
	size_t units, at;
	const struct opcode *opcode;  /* the instruction just read; NULL: not known */
	uint32_t argument;
};

/* Read the next instruction with its prefixes; inline caches are zeros. */
static bool next(struct reader *reader)
{
	reader->argument = 0;
	do {
		if (reader->at >= reader->units)
			return false;
		reader->opcode = reader->opcodes[reader->code[2 * reader->at]];
		reader->argument = reader->argument << 8 | reader->code[2 * reader->at + 1];
		reader->at++;
	} while (reader->opcode && strcmp(reader->opcode->name, "EXTENDED_ARG") == 0);
	while (reader->version->tables && reader->at < reader->units && reader->code[2 * reader->at] == 0)
		reader->at++;
	return true;
}

static unsigned action(const struct reader *reader)
{
	return reader->opcode ? reader->opcode->action : ACTION_UNKNOWN;
}

/* Is what has just been loaded only tested? @ahead: a copy of the reader. */
static bool is_test(struct reader ahead)
{
	if (!next(&ahead))
		return false;
	if (action(&ahead) == ACTION_CONSTANT || action(&ahead) == ACTION_COMMON_CONSTANT) {
		if (!next(&ahead))
			return false;
		return action(&ahead) == ACTION_IS || action(&ahead) == ACTION_COMPARE;
	}
	switch (action(&ahead)) {
	case ACTION_NOT: case ACTION_TRUTH:
	case ACTION_BRANCH_TRUE: case ACTION_BRANCH_FALSE: case ACTION_BRANCH_NONE: case ACTION_BRANCH_NOT_NONE:
	case ACTION_BACK_TRUE: case ACTION_BACK_FALSE: case ACTION_BACK_NONE: case ACTION_BACK_NOT_NONE:
		return true;
	default:
		return false;
	}
}

bool globals_used(unsigned version, const uint8_t *code, size_t size, uint32_t index)
{
	struct reader reader = {.version = opcodes_version(version), .code = code, .units = size / 2};
	if (!reader.version)
		return true;
	opcodes_decode(reader.version, reader.opcodes);
	while (next(&reader))
		if (action(&reader) == ACTION_LOAD_GLOBAL && reader.argument >> reader.version->global_shift == index &&
		    !is_test(reader))
			return true;
	return false;
}
