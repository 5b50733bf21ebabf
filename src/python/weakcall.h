/* SPDX-License-Identifier: Apache-2.0 */
/* weakcall.h - would calling this function raise, now that a weak referent is gone? Decided from bytecode alone. */
#ifndef PYTHON_WEAKCALL_H
#define PYTHON_WEAKCALL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum weakcall_verdict { WEAKCALL_UNDECIDED, WEAKCALL_GUARDED, WEAKCALL_RAISES };

/* Where a dead weak reference comes from when the function runs, as the caller found it by peeling the callable. */
struct weakcall_source {
	enum { WEAK_DEREF, WEAK_FAST, WEAK_GLOBAL } kind;
	int index;         /* WEAK_DEREF: into co_freevars; WEAK_FAST: local (a defaulted or partial's argument) */
	const char *name;  /* WEAK_GLOBAL: the global's name */
};

/* What the caller has read from the code object (all C accessors; no Python code runs). */
struct weakcall_code {
	unsigned version;             /* 0x030b for 3.11 */
	unsigned flags;               /* co_flags: calling a generator or coroutine function runs none of its code */
	const uint8_t *code;          /* co_code: not specialised, as code.co_code shows it */
	size_t size;
	const uint8_t *exceptions;    /* co_exceptiontable, 3.11+; else NULL */
	size_t exceptions_size;
	const char *const *names;     /* co_names */
	size_t name_count;
	int local_count;              /* co_nlocals */
	int cell_count;               /* co_cellvars */
	int free_count;               /* co_freevars */
	int local_and_cell_count;     /* 3.11+: co_nlocals + co_cellvars, cells that are arguments counted once */
	/* const_is_none - is co_consts[index] None? Any index may be asked. */
	bool (*const_is_none)(void *context, unsigned index);
	void *context;
};

/* weakcall_decide - abstract run of @code with the @count @sources holding dead weak references (calling one gives
 * None). RAISES only if every ordinary way through the code ends in an uncaught exception: None called, an attribute of
 * it taken, or a raise or failed assert that follows from it. GUARDED only if no way does, the ways through exception
 * handlers included, and neither the reference nor its None is handed to code that is not looked at. Anything else, no
 * source at all, and anything not understood: UNDECIDED.
 * Pure: no allocation beyond the stack and malloc, no CPython; any bytes are safe as @code. Time: bounded, some ms at
 * most in practice. Thread: any. */
enum weakcall_verdict weakcall_decide(const struct weakcall_code *code, const struct weakcall_source *sources,
				      unsigned count);

#endif
