/* SPDX-License-Identifier: Apache-2.0 */
#include "native/cfi.h"
#include <string.h>
#include "native/cfi_read.h"

#if defined(__x86_64__)
#define FP 6u
#define SP 7u
#define RA 16u
#else
#define FP 29u
#define SP 31u
#define RA 30u
#endif

#define WORD 8
#define REMEMBERED 4u /* compilers nest one deep */

enum { CFA_REGISTER, CFA_LOAD, CFA_PLT, CFA_SIGNAL, CFA_OTHER };
enum { SAME, AT_CFA, AT_FP, UNDEFINED, OTHER };

struct saved {
	uint8_t how;
	int32_t at;
};

/* A row of the table: what holds from some address on. */
struct row {
	uint8_t cfa;
	uint8_t base; /* register that the CFA hangs off */
	int32_t offset;
	struct saved fp, ra;
};

struct program {
	struct row row, initial, remembered[REMEMBERED];
	unsigned depth;
	const struct cfi_entry *entry;
	uintptr_t pc;
};

#if defined(__x86_64__)
static bool matches(const struct cfi_reader *block, const uint8_t *bytes, size_t size)
{
	return (size_t)(block->end - block->at) == size && memcmp(block->at, bytes, size) == 0;
}

/* fixed_expression - two that are always the same: the PLT's "one word more from the eleventh (or tenth) byte of an
 * entry on", and the stack pointer that a signal interrupted. */
static void fixed_expression(struct row *row, const struct cfi_reader *block)
{
	static const uint8_t plt[] = { 0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22 };
	static const uint8_t plt_branch[] = { 0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a, 0x3a, 0x2a, 0x33, 0x24, 0x22 };
	static const uint8_t signal[] = { 0x77, 0xa0, 0x01, 0x06 };

	if (matches(block, plt, sizeof(plt)) || matches(block, plt_branch, sizeof(plt_branch))) {
		row->cfa = CFA_PLT;
		row->offset = block->at[6] - 0x30;
	} else if (matches(block, signal, sizeof(signal))) {
		row->cfa = CFA_SIGNAL;
	}
}
#else
static void fixed_expression(struct row *row, const struct cfi_reader *block)
{
	(void)row, (void)block; /* none: the kernel's frame is known by its augmentation */
}
#endif

/* fp_offset - is the expression "frame pointer + constant", perhaps with a load behind it? */
static bool fp_offset(struct cfi_reader block, bool load, int32_t *offset)
{
	enum { DEREF = 0x06, BREG0 = 0x70 };
	int64_t value;

	if (cfi_byte(&block) != BREG0 + FP)
		return false;
	value = cfi_sleb(&block);
	if (load && cfi_byte(&block) != DEREF)
		return false;
	*offset = (int32_t)value;
	return !block.bad && block.at == block.end && value == *offset;
}

static void cfa_expression(struct row *row, struct cfi_reader block)
{
	row->cfa = CFA_OTHER;
	if (fp_offset(block, true, &row->offset))
		row->cfa = CFA_LOAD;
	else
		fixed_expression(row, &block);
}

static struct saved *place(struct row *row, uint64_t number)
{
	return number == FP ? &row->fp : number == RA ? &row->ra : NULL;
}

static bool save(struct row *row, uint64_t number, uint8_t how, int64_t at)
{
	struct saved *saved = place(row, number);

	if (saved)
		*saved = (struct saved){ how, (int32_t)at };
	return at == (int32_t)at;
}

static bool define(struct row *row, uint64_t base, int64_t offset)
{
	row->cfa = base == SP || base == FP ? CFA_REGISTER : CFA_OTHER;
	row->base = (uint8_t)base;
	row->offset = (int32_t)offset;
	return offset == (int32_t)offset;
}

static void expression(struct program *program, struct cfi_reader *code, bool value)
{
	uint64_t number = cfi_uleb(code);
	struct cfi_reader block = cfi_block(code);
	int32_t at = 0;

	if (!value && fp_offset(block, false, &at))
		save(&program->row, number, AT_FP, at);
	else
		save(&program->row, number, OTHER, 0);
}

/* extended - the instructions that are a byte of their own, but for those that move the address.
 * Return: false if it is unknown. */
static bool extended(struct program *program, struct cfi_reader *code, uint8_t operation)
{
	struct row *row = &program->row;
	int64_t factor = program->entry->data_align;
	uint64_t number;

	switch (operation) {
	case 0x00: /* nop */
	case 0x2d: /* aarch64: return addresses are signed from here on, and stripped when read */
		return true;
	case 0x05: /* offset_extended */
		number = cfi_uleb(code);
		return save(row, number, AT_CFA, (int64_t)cfi_uleb(code) * factor);
	case 0x06: /* restore_extended */
		number = cfi_uleb(code);
		if (place(row, number))
			*place(row, number) = *place(&program->initial, number);
		return true;
	case 0x07: /* undefined */
		return save(row, cfi_uleb(code), UNDEFINED, 0);
	case 0x08: /* same_value */
		return save(row, cfi_uleb(code), SAME, 0);
	case 0x09: /* register */
		number = cfi_uleb(code);
		cfi_uleb(code);
		return save(row, number, OTHER, 0);
	case 0x0a: /* remember_state */
		if (program->depth == REMEMBERED)
			return false;
		program->remembered[program->depth++] = *row;
		return true;
	case 0x0b: /* restore_state */
		if (program->depth == 0)
			return false;
		*row = program->remembered[--program->depth];
		return true;
	case 0x0c: /* def_cfa */
		number = cfi_uleb(code);
		return define(row, number, (int64_t)cfi_uleb(code));
	case 0x0d: /* def_cfa_register */
		return define(row, cfi_uleb(code), row->offset);
	case 0x0f: /* def_cfa_expression */
		cfa_expression(row, cfi_block(code));
		return true;
	case 0x10: /* expression */
	case 0x16: /* val_expression */
		expression(program, code, operation == 0x16);
		return true;
	case 0x11: /* offset_extended_sf */
		number = cfi_uleb(code);
		return save(row, number, AT_CFA, cfi_sleb(code) * factor);
	case 0x12: /* def_cfa_sf */
		number = cfi_uleb(code);
		return define(row, number, cfi_sleb(code) * factor);
	case 0x13: /* def_cfa_offset_sf */
		return define(row, row->base, cfi_sleb(code) * factor);
	case 0x14: /* val_offset */
	case 0x15: /* val_offset_sf */
		number = cfi_uleb(code);
		cfi_uleb(code);
		return save(row, number, OTHER, 0);
	case 0x2e: /* GNU_args_size */
		cfi_uleb(code);
		return true;
	case 0x2f: /* GNU_negative_offset_extended */
		number = cfi_uleb(code);
		return save(row, number, AT_CFA, -(int64_t)cfi_uleb(code) * factor);
	default:
		return false;
	}
}

/* run - up to the row that holds at the program's address. Return: false if it cannot be followed. */
static bool run(struct program *program, struct cfi_reader code, uintptr_t at)
{
	while (code.at < code.end && !code.bad) {
		uint8_t operation = cfi_byte(&code), low = operation & 0x3f;
		uint64_t delta = 0;

		if (operation == 0x0e) { /* def_cfa_offset: every other one, as functions push and pop */
			if (!define(&program->row, program->row.base, (int64_t)cfi_uleb(&code)))
				return false;
			continue;
		}

		switch (operation >> 6) {
		case 1: /* advance_loc */
			delta = low;
			break;
		case 2: /* offset */
			if (!save(&program->row, low, AT_CFA, (int64_t)cfi_uleb(&code) * program->entry->data_align))
				return false;
			continue;
		case 3: /* restore */
			if (place(&program->row, low))
				*place(&program->row, low) = *place(&program->initial, low);
			continue;
		default:
			if (low >= 2 && low <= 4) { /* advance_loc1, 2, 4 */
				delta = cfi_fixed(&code, 1u << (low - 2));
				break;
			}
			if (low == 1) { /* set_loc */
				uintptr_t to = cfi_encoded(&code, program->entry->encoding);

				if (to < at)
					return false;
				at = to;
			} else if (!extended(program, &code, low)) {
				return false;
			}
		}
		at += delta * program->entry->code_align;
		if (at > program->pc)
			return !code.bad;
	}
	return !code.bad;
}

/* fits - a distance in words of 8 bytes for the rule's 16 bits. */
static bool fits(int32_t bytes)
{
	return bytes % WORD == 0 && bytes / WORD >= -32768 && bytes / WORD < 32768;
}

static bool frame_pointer(const struct row *row, struct rule *rule)
{
	static const uint8_t how[] = { RULE_FP_SAME, RULE_FP_AT_CFA, RULE_FP_AT_FP, RULE_FP_LOST, RULE_FP_LOST };

	rule->fp = how[row->fp.how];
	rule->fp_at = row->fp.at / WORD;
	return fits(row->fp.at);
}

static struct rule rule_of(const struct program *program)
{
	const struct row *row = &program->row;
	struct rule rule = { .kind = RULE_OTHER }, other = rule;
	int32_t cfa = row->offset;

	if (row->ra.how == UNDEFINED)
		return (struct rule){ .kind = RULE_END };
	if (program->entry->signal) {
#if defined(__x86_64__)
		if (row->cfa == CFA_SIGNAL)
			rule.kind = RULE_SIGNAL;
#else
		if (row->cfa == CFA_REGISTER && row->base == FP && cfa == 0) /* the kernel's own, in the vdso */
			rule.kind = RULE_SIGNAL;
#endif
		return rule.kind == RULE_SIGNAL ? rule : (struct rule){ .kind = RULE_UNKNOWN };
	}
	if (row->cfa == CFA_PLT) {
		/* Before the eleventh byte of an entry (or whichever it says) only the return address is there. */
		cfa = WORD + ((program->pc & 15) >= (uintptr_t)row->offset ? WORD : 0);
		rule.kind = RULE_SP;
	} else if (row->cfa == CFA_LOAD) {
		rule.kind = RULE_FP_LOAD;
	} else if (row->cfa == CFA_REGISTER) {
		rule.kind = row->base == SP ? RULE_SP : RULE_FP;
	}
	if (row->ra.how != AT_CFA || cfa < -(1 << 23) || cfa >= 1 << 23 || !fits(row->ra.at) ||
	    !frame_pointer(row, &rule))
		return other;
	rule.cfa = cfa;
	rule.ra_at = row->ra.at / WORD;
	return rule;
}

static bool rule_at(const struct cfi_entry *entry, uintptr_t pc, struct rule *rule)
{
	struct program program = { .entry = entry, .pc = UINTPTR_MAX };

	program.row.cfa = CFA_OTHER;
	if (entry->ra != RA || !run(&program, entry->common, 0))
		return false;
	program.initial = program.row;
	program.pc = pc;
	if (!run(&program, entry->own, entry->start))
		return false;
	*rule = rule_of(&program);
	return true;
}

bool cfi_rule(const struct cfi_image *image, uintptr_t pc, struct rule *rule, uintptr_t *function, uintptr_t *size)
{
	struct cfi_entry entry;

	*rule = (struct rule){ .kind = RULE_UNKNOWN };
	if (!cfi_find(image, pc, &entry))
		return false;
	*function = entry.start;
	*size = entry.size;
	rule->kind = RULE_OTHER;
	rule_at(&entry, pc, rule);
	return true;
}

bool cfi_entered(const struct cfi_image *image, uintptr_t function)
{
	struct rule rule;
	uintptr_t start, size;

#if defined(__x86_64__)
	return cfi_rule(image, function, &rule, &start, &size) && rule.kind == RULE_SP && rule.cfa == WORD;
#else
	struct cfi_entry entry;
	struct program program = { .entry = &entry, .pc = function };

	(void)rule, (void)start, (void)size;
	return cfi_find(image, function, &entry) && run(&program, entry.common, 0) &&
	       run(&program, entry.own, entry.start) && program.row.cfa == CFA_REGISTER && program.row.offset == 0;
#endif
}
