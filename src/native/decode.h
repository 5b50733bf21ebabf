/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.h - what a function's code refers to. Instructions are decoded by capstone, opened at run time and only in the
 * frozen copy; here is its only user. x86-64 and aarch64.
 */
#ifndef NATIVE_DECODE_H
#define NATIVE_DECODE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reference_kind {
	REFERENCE_DATA,     /* what stands at the target is read or written */
	REFERENCE_ADDRESS,  /* the target's address is taken */
	REFERENCE_CALL,     /* called, or jumped to */
	REFERENCE_BASE,     /* aarch64: is in a register where that cannot be followed on, perhaps for other data */
};

/* Whose instructions. */
enum decode_processor { DECODE_NONE, DECODE_X86_64, DECODE_AARCH64 };
#if defined(__x86_64__)
#define DECODE_OWN DECODE_X86_64
#elif defined(__aarch64__)
#define DECODE_OWN DECODE_AARCH64
#else
#define DECODE_OWN DECODE_NONE
#endif

struct reference {
	enum reference_kind kind;
	uintptr_t at, target;   /* address of the instruction; of what it refers to */
};

/* decode_open - for @processor: DECODE_OWN; others for tests. Return: NULL if there is a decoder now, else why not: a
 * literal. Another thread of the host's may
 * have held the loader's lock when the copy was made: this gives up waiting for it. Once in a copy. */
const char *decode_open(enum decode_processor processor);

/* decode_function - each reference to an address that the code in [@start, @start + @size) states; what it computes is
 * not seen. Before it: decode_open. Return: false if something there is no instruction. */
bool decode_function(uintptr_t start, size_t size, void (*visit)(void *argument, const struct reference *reference),
		     void *argument);

/* decode_thunk - the same for code without a function around it, up to the first jump. Return: false if none comes
 * within @size bytes. */
bool decode_thunk(uintptr_t start, size_t size, void (*visit)(void *argument, const struct reference *reference),
		  void *argument);

#endif
