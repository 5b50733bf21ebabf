/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.h - where a CPython keeps its frames: a row of offsets for each version, held at the attach against what
 * the C API says of the stack that is there, so that walking a stack later calls nothing and makes nothing.
 */
#ifndef PYTHON_LAYOUT_H
#define PYTHON_LAYOUT_H
#include <stdbool.h>
#include <stdint.h>

struct layout {
	uint16_t version;           /* 0x030b; 0 while not known to fit */
	uint8_t thread_frame;       /* in a thread state: the current frame, or what holds it */
	bool indirect;              /* what holds it: then the frame is at */
	uint8_t held_frame;
	uint8_t thread_id;
	uint8_t previous, code, instruction, owner;  /* in a frame; owner 0: every frame runs code */
	uint8_t unit;               /* bytes that a step of the instruction means; 0: it is a pointer */
	uint8_t name, filename;     /* in a code object; name: qualified where the version has it */
	uint8_t first_line, first_instruction;
	uint8_t linetable;          /* 0: not to be read (lines.h) */
	uint16_t current;           /* in _PyRuntime: the thread state that holds the GIL; 0: each thread knows its own */
	uint16_t chunk;             /* in a thread state: the memory that its frames are made in; 0: not known */
};

extern struct layout layout __attribute__((visibility("hidden")));

/* Where the current thread state is: NULL if not known, then the C API says it. */
extern const uintptr_t *layout_thread __attribute__((visibility("hidden")));

#define LAYOUT_THREAD_LOCAL_STATE 0x030c  /* the version from which each thread knows its own thread state */

/* layout_attach - with the GIL, from C code that Python code has called: choose the row and check it. @symbol: as
 * for capi_load. Return: true if the layout is known to fit. Makes the frame objects of the current stack. */
bool layout_attach(void *(*symbol)(const char *name));

typedef uintptr_t __attribute__((may_alias)) layout_aliasing;

/* From here on all offsets are right. @thread: a thread state that belongs to the caller; its frames live. */
static inline uintptr_t layout_word(uintptr_t object, unsigned offset)
{
	return *(const layout_aliasing *)(object + offset);
}

static inline uintptr_t layout_current(uintptr_t thread)
{
	uintptr_t word = layout_word(thread, layout.thread_frame);

	return layout.indirect && word ? layout_word(word, layout.held_frame) : word;
}

/* layout_chunk - the memory in which the thread's frames are made now, 0 if not known. As long as it is that, all of
 * its first LAYOUT_CHUNK bytes (CPython's smallest) can be read. layout_in_chunk - does @frame lie there? */
#define LAYOUT_CHUNK 16384u
static inline uintptr_t layout_chunk(uintptr_t thread)
{
	return layout.chunk ? layout_word(thread, layout.chunk) : 0;
}
static inline bool layout_in_chunk(uintptr_t chunk, uintptr_t frame)
{
	return chunk && frame - chunk < LAYOUT_CHUNK - 128;
}

/* A reference to a code object may be tagged (3.14+). */
static inline uintptr_t layout_code(uintptr_t frame)
{
	return layout_word(frame, layout.code) & ~(uintptr_t)7;
}

/* Frames on the C stack stand for the interpreter itself: no code of anybody's. */
#define LAYOUT_OWNER_INTERPRETER 3
static inline bool layout_runs(uintptr_t frame)
{
	return !layout.owner || *(const char *)(frame + layout.owner) < LAYOUT_OWNER_INTERPRETER;
}

/* layout_at - the instruction that the frame is at: the same number again only for the same instruction of the same
 * code object (while that lives). layout_offset - the same in bytes from the code's start, negative before the
 * first. */
static inline uint64_t layout_at(uintptr_t frame)
{
	if (!layout.unit)
		return layout_word(frame, layout.instruction);
	/* Code objects lie at multiples of 16, in 48 bits; a function of a megabyte of code loses lines at its end. */
	int32_t step = *(const volatile int32_t *)(frame + layout.instruction);
	uint32_t bounded = step < -1 || step > 0xffffe ? 0xfffff : (uint32_t)(step + 1);
	return (uint64_t)layout_code(frame) << 16 | bounded;
}

static inline int32_t layout_offset(uintptr_t code, uint64_t at)
{
	if (!layout.unit)
		return (int32_t)(at - code - layout.first_instruction);
	return ((int32_t)(at & 0xfffff) - 1) * layout.unit;
}

#endif
