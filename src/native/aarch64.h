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

#endif
