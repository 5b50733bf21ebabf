/* SPDX-License-Identifier: Apache-2.0 */
/* What code of aarch64 refers to: the decoder reads it on any processor. */
#include <stdint.h>
#include <stdio.h>
#include "native/aarch64.h"
#include "native/decode.h"

/* Its data would begin at 3010. */
static const uint32_t code[1024] __attribute__((aligned(4096))) = {
	[0x00] = 0xf0000000, /*   0: adrp x0, 0x3000 */
	[0x01] = 0x91004000, /*   4: add x0, x0, #0x10 */
	[0x02] = 0x94000030, /*   8: bl 0xc8 */
	[0x03] = 0xd65f03c0, /*   c: ret */
	[0x04] = 0xf0000001, /*  10: adrp x1, 0x3000 */
	[0x05] = 0xb9401020, /*  14: ldr w0, [x1, #16] */
	[0x06] = 0xb9001820, /*  18: str w0, [x1, #24] */
	[0x07] = 0xd65f03c0, /*  1c: ret */
	[0x08] = 0x10ffff03, /*  20: adr x3, 0x0 */
	[0x09] = 0xf9000043, /*  24: str x3, [x2] */
	[0x0a] = 0x58ffffc4, /*  28: ldr x4, 0x20 */
	[0x0b] = 0x14000027, /*  2c: b 0xc8 */
	[0x0c] = 0xf0000000, /*  30: adrp x0, 0x3000 */
	[0x0d] = 0x91004000, /*  34: add x0, x0, #0x10 */
	[0x0e] = 0xf9401801, /*  38: ldr x1, [x0, #48] */
	[0x0f] = 0xa9010801, /*  3c: stp x1, x2, [x0, #16] */
	[0x10] = 0x94000022, /*  40: bl 0xc8 */
	[0x11] = 0xd65f03c0, /*  44: ret */
	[0x12] = 0xf0000013, /*  48: adrp x19, 0x3000 */
	[0x13] = 0xb4000060, /*  4c: cbz x0, 0x58 */
	[0x14] = 0xf9400e60, /*  50: ldr x0, [x19, #24] */
	[0x15] = 0xd65f03c0, /*  54: ret */
	[0x16] = 0xf9400a60, /*  58: ldr x0, [x19, #16] */
	[0x17] = 0x9400001b, /*  5c: bl 0xc8 */
	[0x18] = 0xf9400e60, /*  60: ldr x0, [x19, #24] */
	[0x19] = 0xd65f03c0, /*  64: ret */
	[0x1a] = 0xf0000001, /*  68: adrp x1, 0x3000 */
	[0x1b] = 0x94000017, /*  6c: bl 0xc8 */
	[0x1c] = 0xf9400820, /*  70: ldr x0, [x1, #16] */
	[0x1d] = 0xf0000002, /*  74: adrp x2, 0x3000 */
	[0x1e] = 0xaa0503e2, /*  78: mov x2, x5 */
	[0x1f] = 0xf9400840, /*  7c: ldr x0, [x2, #16] */
	[0x20] = 0xf0000002, /*  80: adrp x2, 0x3000 */
	[0x21] = 0xf8408c40, /*  84: ldr x0, [x2, #8]! */
	[0x22] = 0xf9400440, /*  88: ldr x0, [x2, #8] */
	[0x23] = 0xd65f03c0, /*  8c: ret */
	[0x24] = 0xf0000002, /*  90: adrp x2, 0x3000 */
	[0x25] = 0x91004042, /*  94: add x2, x2, #0x10 */
	[0x26] = 0xaa0203e0, /*  98: mov x0, x2 */
	[0x27] = 0xf90000e2, /*  9c: str x2, [x7] */
	[0x28] = 0xf8646843, /*  a0: ldr x3, [x2, x4] */
	[0x29] = 0x361fff60, /*  a4: tbz w0, #3, 0x90 */
	[0x2a] = 0x54000100, /*  a8: b.eq 0xc8 */
	[0x2b] = 0xd65f03c0, /*  ac: ret */
	[0x2c] = 0x58000090, /*  b0: ldr x16, 0xc0 */
	[0x2d] = 0x10fffff1, /*  b4: adr x17, 0xb0 */
	[0x2e] = 0xd61f0200, /*  b8: br x16 */
	[0x2f] = 0xd503201f, /*  bc: nop */
	[0x34] = 0xf0000014, /*  d0: adrp x20, 0x3000 */
	[0x35] = 0x91004294, /*  d4: add x20, x20, #0x10 */
	[0x36] = 0xf9400693, /*  d8: ldr x19, [x20, #8] */
	[0x37] = 0xa8c253f3, /*  dc: ldp x19, x20, [sp], #32 */
	[0x38] = 0xf90000f4, /*  e0: str x20, [x7] */
	[0x39] = 0xd65f03c0, /*  e4: ret */
	[0x3a] = 0xf0000010, /*  e8: adrp x16, 0x3000 */
	[0x3b] = 0xf9400a11, /*  ec: ldr x17, [x16, #16] */
	[0x3c] = 0x91004210, /*  f0: add x16, x16, #0x10 */
	[0x3d] = 0xd61f0220, /*  f4: br x17 */
	[0x3e] = 0xf0000010, /*  f8: adrp x16, 0x3000 */
	[0x3f] = 0x91004210, /*  fc: add x16, x16, #0x10 */
	[0x40] = 0xd61f0200, /* 100: br x16 */
	[0x41] = 0xf0000010, /* 104: adrp x16, 0x3000 */
	[0x42] = 0xf9400a11, /* 108: ldr x17, [x16, #16] */
	[0x43] = 0x91004210, /* 10c: add x16, x16, #0x10 */
	[0x44] = 0xd503219f, /* 110: autia1716 */
	[0x45] = 0xd61f0220, /* 114: br x17 */
	[0x46] = 0xf0000010, /* 118: adrp x16, 0x3000 */
	[0x47] = 0xf9400a11, /* 11c: ldr x17, [x16, #16] */
	[0x48] = 0xf9400e12, /* 120: ldr x18, [x16, #24] */
	[0x49] = 0xd61f0220, /* 124: br x17 */
	[0x4a] = 0xf0000000, /* 128: adrp x0, 0x3000 */
	[0x4b] = 0xf9400800, /* 12c: ldr x0, [x0, #16] */
	[0x4c] = 0xf0000000, /* 130: adrp x0, 0x3000 */
	[0x4d] = 0xf9400801, /* 134: ldr x1, [x0, #16] */
};

static const struct expected {
	unsigned start, end;
	struct { enum reference_kind kind; unsigned at, target; } references[8];
} cases[] = {
	/* An address is made and passed on. */
	{ 0x00, 0x10, { { REFERENCE_ADDRESS, 0x08, 0x3010 }, { REFERENCE_CALL, 0x08, 0xc8 } } },
	/* Read and written by a page and a distance. */
	{ 0x10, 0x20, { { REFERENCE_DATA, 0x14, 0x3010 }, { REFERENCE_DATA, 0x18, 0x3018 } } },
	/* Near; stored; a literal; a call at the end. */
	{ 0x20, 0x30, { { REFERENCE_ADDRESS, 0x24, 0 }, { REFERENCE_DATA, 0x28, 0x20 }, { REFERENCE_ADDRESS, 0x2c, 0 },
			{ REFERENCE_CALL, 0x2c, 0xc8 } } },
	/* What is only a base for others is nobody's address. */
	{ 0x30, 0x48, { { REFERENCE_DATA, 0x38, 0x3040 }, { REFERENCE_DATA, 0x3c, 0x3020 },
			{ REFERENCE_CALL, 0x40, 0xc8 } } },
	/* Behind a return, what was known at the jump there; a call leaves x19. */
	{ 0x48, 0x68, { { REFERENCE_CALL, 0x4c, 0x58 }, { REFERENCE_DATA, 0x50, 0x3018 },
			{ REFERENCE_DATA, 0x58, 0x3010 }, { REFERENCE_CALL, 0x5c, 0xc8 },
			{ REFERENCE_DATA, 0x60, 0x3018 } } },
	/* A call overwrites x1, a move x2, and a base is written back. */
	{ 0x68, 0x90, { { REFERENCE_CALL, 0x6c, 0xc8 }, { REFERENCE_DATA, 0x84, 0x3008 } } },
	/* Stored; an array; conditional jumps. */
	{ 0x90, 0xb0, { { REFERENCE_ADDRESS, 0x9c, 0x3010 }, { REFERENCE_ADDRESS, 0xa0, 0x3010 },
			{ REFERENCE_CALL, 0xa4, 0x90 }, { REFERENCE_CALL, 0xa8, 0xc8 },
			{ REFERENCE_ADDRESS, 0xac, 0x3010 } } },
	/* Both registers of a pair are overwritten. */
	{ 0xd0, 0xe8, { { REFERENCE_DATA, 0xd8, 0x3018 } } },
	/* A stub of the linker's. */
	{ 0xe8, 0xf8, { { REFERENCE_DATA, 0xec, 0x3010 }, { REFERENCE_ADDRESS, 0xf4, 0x3010 } } },
};

/* A closure of libffi's. */
static const struct expected thunk = {
	0xb0, 0xc8, { { REFERENCE_DATA, 0xb0, 0xc0 }, { REFERENCE_ADDRESS, 0xb8, 0xb0 } }
};

struct checking {
	const struct expected *expected;
	unsigned count, wrong;
	bool looks;   /* through other code in the middle of it */
};

static unsigned check(const struct expected *expected, bool is_thunk, bool looks);

static void compare(void *checking_pointer, const struct reference *reference)
{
	struct checking *checking = checking_pointer;
	uintptr_t base = (uintptr_t)code;
	unsigned at = checking->count++;

	if (checking->looks && reference->kind == REFERENCE_CALL)
		checking->wrong += check(&cases[1], false, false);

	if (at < 8 && checking->expected->references[at].kind == reference->kind &&
	    checking->expected->references[at].at + base == reference->at && reference->at != base &&
	    checking->expected->references[at].target + base == reference->target)
		return;
	printf("not ok - reference %u of the code at %x: kind %d at %lx to %lx\n", at, checking->expected->start,
	       (int)reference->kind, (unsigned long)(reference->at - base), (unsigned long)(reference->target - base));
	checking->wrong++;
}

static unsigned check(const struct expected *expected, bool is_thunk, bool looks)
{
	struct checking checking = { expected, 0, 0, looks };
	uintptr_t start = (uintptr_t)code + expected->start;
	size_t size = expected->end - expected->start;
	bool whole = is_thunk ? decode_thunk(start, size, compare, &checking)
			      : decode_function(start, size, compare, &checking);
	unsigned count = 0;

	while (count < 8 && expected->references[count].at)
		count++;
	if (!whole || checking.count != count) {
		printf("not ok - the code at %x: %s, %u references instead of %u\n", expected->start,
		       whole ? "read" : "not read", checking.count, count);
		checking.wrong++;
	}
	return checking.wrong;
}

/* By their bits. */
static const struct { unsigned at; enum aarch64_lead lead; unsigned target; } leads[] = {
	{ 0x00, AARCH64_PAGE, 0x3000 }, { 0x04, AARCH64_NOWHERE, 0 },  { 0x08, AARCH64_JUMP, 0xc8 },
	{ 0x14, AARCH64_NOWHERE, 0 },   { 0x20, AARCH64_NEAR, 0 },     { 0x28, AARCH64_LITERAL, 0x20 },
	{ 0x2c, AARCH64_JUMP, 0xc8 },   { 0x4c, AARCH64_JUMP, 0x58 },  { 0xa4, AARCH64_JUMP, 0x90 },
	{ 0xa8, AARCH64_JUMP, 0xc8 },   { 0xb0, AARCH64_LITERAL, 0xc0 }, { 0xbc, AARCH64_NOWHERE, 0 },
};

static unsigned check_leads(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
		uintptr_t target = 0, base = (uintptr_t)code;
		enum aarch64_lead lead = aarch64_lead(code[leads[i].at / 4], base + leads[i].at, &target);

		if (lead == leads[i].lead && (lead == AARCH64_NOWHERE || target == base + leads[i].target))
			continue;
		printf("not ok - the bits at %x: %d, %lx\n", leads[i].at, (int)lead, (unsigned long)(target - base));
		wrong++;
	}
	return wrong;
}

static const struct { unsigned at, stub; } stubs[] = {
	{ 0x00, 0 }, { 0x68, 0 }, { 0xe8, 4 }, { 0xec, 0 }, { 0xf8, 3 }, { 0x104, 5 }, { 0x118, 0 },
	{ 0x128, 2 }, { 0x130, 0 },
};

static unsigned check_stubs(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof(stubs) / sizeof(stubs[0]); i++)
		if (aarch64_stub(&code[stubs[i].at / 4]) != stubs[i].stub)
			wrong++, printf("not ok - a stub at %x: %u\n", stubs[i].at, aarch64_stub(&code[stubs[i].at / 4]));
	return wrong;
}

int main(void)
{
	const char *problem = decode_open(DECODE_AARCH64);
	unsigned wrong = check_leads() + check_stubs();

	if (problem && !wrong) {
		printf("skipped: %s\n", problem);
		return 77;
	}
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		wrong += check(&cases[i], false, false) + check(&cases[i], false, true);
	wrong += check(&thunk, true, false);
	/* The other processor's at any time. */
	if (decode_open(DECODE_X86_64) || decode_open(DECODE_AARCH64) || check(&cases[0], false, false))
		wrong++;
	if (!wrong)
		printf("ok\n");
	return wrong != 0;
}
