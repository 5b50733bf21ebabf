/* SPDX-License-Identifier: Apache-2.0 */
/* weakcall_machine.h - the abstract machine behind weakcall: values, one state, and what has been found so far. */
#ifndef PYTHON_WEAKCALL_MACHINE_H
#define PYTHON_WEAKCALL_MACHINE_H
#include "python/opcodes.h"
#include "python/weakcall.h"

#define STACK_MAX 64u
#define VARIABLES_MAX 120u
#define BLOCKS_MAX 20u

/* A value: one of these kinds, or VALUE_CLASS | the exceptions that an except clause naming it catches, or
 * VALUE_RAISED | one exception. */
enum {
	VALUE_ANY,    /* nothing known */
	VALUE_OBJECT, /* not None */
	VALUE_NONE,   /* a None of the program's own */
	VALUE_DEAD,   /* None, the answer of a dead weak reference */
	VALUE_WEAK,   /* a dead weak reference */
	VALUE_NULL,   /* CPython's empty stack slot */
	VALUE_TRUE,
	VALUE_FALSE,
	VALUE_CALLABLE, /* the builtin callable() */
	VALUE_BOOL,     /* the builtin bool() */
	VALUE_CLASS = 0x20,
	VALUE_RAISED = 0x40,
	VALUE_MASK = 0x1f,
};
enum {
	RAISED_TYPE = 1,      /* TypeError */
	RAISED_ATTRIBUTE = 2, /* AttributeError */
	RAISED_ASSERTION = 4, /* AssertionError */
	RAISED_OTHER = 8,     /* what a raise statement raised; in a class: catches everything */
	RAISED_FOREIGN = 16,  /* what some operation may have raised for reasons that we do not follow */
};

/* Where one path stands. Compared byte by byte, so unused parts are zero. */
struct state {
	uint16_t at;       /* code unit */
	bool escaped;      /* the reference or its None went where we do not look */
	bool foreign;      /* this path began with an exception of an operation that usually raises none */
	uint8_t depth, block_count;
	uint8_t stack[STACK_MAX];
	uint8_t variables[VARIABLES_MAX];
	struct block {
		uint16_t handler;
		uint8_t level;
		bool running; /* the handler itself (EXCEPT_HANDLER) */
	} blocks[BLOCKS_MAX]; /* <= 3.10 */
};

struct handler {
	uint32_t start, end, target; /* code units */
	uint8_t depth;
	bool lasti;
};

struct machine {
	const struct weakcall_code *code;
	const struct weakcall_source *sources;
	unsigned source_count;
	const struct opcode_version *version;
	const struct opcode *opcodes[256];
	uint32_t units;
	struct handler *handlers; /* 3.11+ */
	unsigned handler_count;
	bool is_cell[VARIABLES_MAX];
	struct state *states; /* found so far, in the order in which they are followed */
	unsigned state_count;
	uint16_t *slots;      /* hash table over states, index + 1 */
	bool returns, raises, escapes; /* how ordinary paths ended */
	bool lost;         /* an ordinary path was not understood */
	bool foreign_lost; /* a foreign one was not, or raised */
};

/* An instruction with its prefixes; @next is past its inline caches. */
struct instruction {
	const struct opcode *opcode;
	uint32_t argument, at, next;
};

/* weakcall_step - run one instruction. Return: true to go on at state->at, false if the path ended or was handed to
 * weakcall_follow. */
bool weakcall_step(struct machine *machine, struct state *state, const struct instruction *instruction);

/* weakcall_follow - note @state, as if at unit @at, as one more to follow; nothing if it has been seen before. */
void weakcall_follow(struct machine *machine, const struct state *state, uint32_t at);

/* weakcall_lost - @state's path is not understood: it ends here. Return: false. */
bool weakcall_lost(struct machine *machine, const struct state *state);

/* weakcall_raise - @exception (RAISED_x) at unit @at: on to the handler, or the path ends. Return: as weakcall_step. */
bool weakcall_raise(struct machine *machine, struct state *state, uint32_t at, uint8_t exception);

/* weakcall_read_handlers - parse the exception table. Return: false if malformed or out of memory. */
bool weakcall_read_handlers(struct machine *machine);

/* weakcall_catches - does an except clause for @class_value catch @raised_value? 1 yes, 0 no, -1 unknown. */
int weakcall_catches(uint8_t class_value, uint8_t raised_value);

/* weakcall_global - what a name of the builtins is worth: an exception class, callable, bool; else VALUE_ANY. */
uint8_t weakcall_global(const char *name);

/* weakcall_none_lacks - None has no attribute @name: 1 certainly, 0 it has, -1 in some versions. */
int weakcall_none_lacks(const char *name);

#endif
