/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cfi.h - what .eh_frame says of one address, made a rule: how to get from a frame to its caller's. Only what the hot
 * path can follow: the frame pointer is the one register that is carried along. All else is RULE_OTHER.
 */
#ifndef NATIVE_CFI_H
#define NATIVE_CFI_H
#include <stdbool.h>
#include <stdint.h>

enum rule_kind {
	RULE_UNKNOWN,  /* no information */
	RULE_OTHER,    /* there is some, but it says more than a rule can */
	RULE_SP,       /* CFA = stack pointer + cfa */
	RULE_FP,       /* CFA = frame pointer + cfa */
	RULE_FP_LOAD,  /* CFA = what stands at frame pointer + cfa (a function that realigned its stack) */
	RULE_SIGNAL,   /* a signal handler returns to here: the registers are in the kernel's frame at the stack pointer */
	RULE_END,      /* the outermost frame: no return address */
};

enum rule_fp {
	RULE_FP_SAME,    /* the caller's frame pointer is still in its register */
	RULE_FP_AT_CFA,  /* it stands at CFA + 8 * fp_at */
	RULE_FP_AT_FP,   /* it stands at frame pointer + 8 * fp_at */
	RULE_FP_LOST,
};

/* 64 bits, so that a cache stores it in one piece. */
struct rule {
	uint64_t kind : 3;
	uint64_t fp : 2;
	uint64_t stop : 1;   /* rules.c's own: in the function where stacks end; */
	uint64_t inner : 1;  /* in that function's module; */
	uint64_t fixed : 1;  /* in a module that nothing can unload */
	int64_t cfa : 24;    /* bytes */
	int64_t fp_at : 16;  /* words of 8 bytes */
	int64_t ra_at : 16;  /* the return address stands at CFA + 8 * ra_at */
};

/* Where to look: the image's .eh_frame_hdr, and the bounds outside of which nothing is read. */
struct cfi_image {
	uintptr_t header, start, end;
};

/* cfi_rule - the rule for @pc (return address - 1, or an interrupted instruction). @function, @size: the range of the
 * entry that holds it. Reads @image only, about 0.5 us; ~400 bytes of stack. Thread: any. Signal: safe. Return: false
 * if no entry holds @pc (or it is not to be read); @rule is RULE_UNKNOWN then. */
bool cfi_rule(const struct cfi_image *image, uintptr_t pc, struct rule *rule, uintptr_t *function, uintptr_t *size);

/* cfi_entered - is the function that begins at @function entered by a call (its frame is nothing but a return address
 * there)? False for the part of a function that a compiler has put elsewhere. */
bool cfi_entered(const struct cfi_image *image, uintptr_t function);

#endif
