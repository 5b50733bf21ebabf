/* SPDX-License-Identifier: Apache-2.0 */
/* aarch64.h - where a single instruction of aarch64 leads to, by its bits: a first look over much code, before what
 * looks right is decoded. */
#ifndef NATIVE_AARCH64_H
#define NATIVE_AARCH64_H
#include <stdbool.h>
#include <stdint.h>

enum aarch64_lead {
	AARCH64_NOWHERE,
	AARCH64_PAGE,      /* adrp: to something in this page, or behind it */
	AARCH64_NEAR,      /* adr: there, or to something behind */
	AARCH64_LITERAL,   /* what is read there */
	AARCH64_JUMP,      /* and calls */
};

static inline int64_t aarch64_field(uint32_t word, unsigned low, unsigned bits)
{
	return (int64_t)((uint64_t)(word >> low) << (64 - bits)) >> (64 - bits);
}

/* aarch64_lead - of the instruction @word at @at: to *@target. */
static inline enum aarch64_lead aarch64_lead(uint32_t word, uintptr_t at, uintptr_t *target)
{
	int64_t near = aarch64_field(word, 5, 19) * 4 + (word >> 29 & 3);

	if ((word & 0x1f000000) == 0x10000000) {
		bool page = word >> 31;

		*target = page ? (at & ~(uintptr_t)4095) + ((uintptr_t)near << 12) : at + (uintptr_t)near;
		return page ? AARCH64_PAGE : AARCH64_NEAR;
	}
	*target = at + (uintptr_t)(aarch64_field(word, 5, 19) * 4);
	if ((word & 0x3b000000) == 0x18000000)
		return AARCH64_LITERAL;
	if ((word & 0xfe000000) == 0x54000000 || (word & 0x7e000000) == 0x34000000) /* b.cond, cbz */
		return AARCH64_JUMP;
	if ((word & 0x7e000000) == 0x36000000) { /* tbz */
		*target = at + (uintptr_t)(aarch64_field(word, 5, 14) * 4);
		return AARCH64_JUMP;
	}
	*target = at + (uintptr_t)(aarch64_field(word, 0, 26) * 4);
	return (word & 0x7c000000) == 0x14000000 ? AARCH64_JUMP : AARCH64_NOWHERE;
}

#define AARCH64_STUB 5u  /* instructions at most */

/* aarch64_stub - for code of which nobody says where its functions begin: instructions from @code on, AARCH64_STUB of
 * which can be read, that say all that the page of the first is for. They read a word of it into the same register, or
 * are a stub of the linker's: the entry for another module's function, or the long way to one of this module. 0: what
 * comes behind may use the page. */
static inline unsigned aarch64_stub(const uint32_t *code)
{
	uint32_t page = code[0] & 31;
	unsigned last = 3;

	if ((code[0] & 0x9f000000) == 0x90000000 && (code[1] & 0xffc003ff) == (0xf9400000 | page << 5 | page))
		return 2;
	if ((code[0] & 0x9f00001f) != 0x90000010)                          /* adrp x16, ... */
		return 0;
	if ((code[1] & 0xffc003ff) == 0x91000210)                          /* add x16, x16, #... */
		return code[2] == 0xd61f0200 ? 3 : 0;                      /* br x16 */
	if ((code[1] & 0xffc003ff) != 0xf9400211 || (code[2] & 0xffc003ff) != 0x91000210)
		return 0;                                                  /* ldr x17, [x16, #...]; add x16, x16, #... */
	last += code[last] == 0xd503219f;                                  /* autia1716 */
	return code[last] == 0xd61f0220 ? last + 1 : 0;                    /* br x17 */
}

#endif
