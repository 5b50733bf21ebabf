/* SPDX-License-Identifier: Apache-2.0 */
/* registrations.h - who registered what, in order. Plain data: no policy, no CPython, no ELF. */
#ifndef LEDGER_REGISTRATIONS_H
#define LEDGER_REGISTRATIONS_H
#include <stdbool.h>
#include <stdint.h>

enum phase { PHASE_BEFORE, PHASE_PARENT, PHASE_CHILD, PHASES };
enum registration_kind { REGISTRATION_NATIVE, REGISTRATION_PYTHON };
/* REMOVED_REFUSED: libc returned an error and never had it. REMOVED_HOST: the host took it out of the interpreter's own
 * lists, at a time that nobody saw. */
enum registration_removal { REMOVED_NOT, REMOVED_DLCLOSE, REMOVED_INTERPRETER, REMOVED_REFUSED, REMOVED_HOST };

#define REGISTRATION_NONE UINT32_MAX
#define MODULE_NONE UINT32_MAX
#define INTERPRETER_NONE UINT32_MAX

/* How often handlers of one kind (and interpreter) have run in this process and, before it was forked, its parents. */
struct fork_counts {
	uint64_t before, parent, child;
};

struct registration {
	/* Filled by registrations_add: */
	uint32_t sequence;             /* index in the ledger, from 0 */
	uint32_t thread;               /* tid */
	uint32_t generation;           /* forks between the first process and this one, when registered */
	uint64_t time_ns;              /* CLOCK_REALTIME */

	/* Filled by the caller: */
	enum registration_kind kind;
	bool in_handler;               /* made while a fork handler ran in this thread */
	bool standard;                 /* python: by a standard library module at import; never counts as "own" */
	uint32_t interpreter;          /* python: index of the interpreter (python/attach.h) */
	uintptr_t callable[PHASES];    /* native: code address; python: borrowed PyObject*, NOT to be followed unless
	                                * the interpreter's list still has it. 0 where there is none. */
	uintptr_t handle;              /* native: __dso_handle as the caller gave it (0: non-PIE main, compat route) */
	uintptr_t caller;              /* native: return address of the call */
	uint32_t code_module[PHASES];  /* native: module of each callable when registered, or MODULE_NONE */
	uint32_t handle_module;        /* native: module that the handle lies in */
	uint32_t caller_module;        /* native: module of the caller */
	const char *symbol[PHASES];    /* native: interned, or NULL */
	bool foreign;                  /* native: dlclose of a callable's module will not remove it (handlers.h) */
	bool compat;                   /* native: by pthread_atfork@GLIBC_2.2.5: libc recorded its own handle */
	uint32_t stack, native_stack;  /* ledger/stacks.h */
	struct fork_counts at;         /* counts of its kind when it was made */

	/* Changed later: */
	enum registration_removal removed;
	bool finalized;                /* native: its handle went through __cxa_finalize (dlclose, or at exit) */
	struct fork_counts until;      /* native: the counts when it was finalised */
	bool finalized_in_handler;     /* native: and that happened while a fork handler ran in that thread */
	bool baseline;                 /* forkheld_mark() came after it */

	uint32_t same_handle;          /* the ledger's own: the native entry before this one with the same handle */
};

/* A module whose handle was finalised (dlclose) while a fork handler ran in that thread, whether or not it had
 * registrations of its own: the other half of FH008. */
struct closing {
	uintptr_t handle;
	uint32_t module;               /* that the handle lies in, or MODULE_NONE */
	uint32_t thread;
	uint32_t generation;
	uint32_t native_stack;         /* of the call of dlclose */
	uint64_t time_ns;
	struct fork_counts at;
};

/* registrations_add - append a copy. Thread: any. Signal: not safe. Return: the new entry (address stable for ever) or
 * NULL when it had to be dropped (counted). */
struct registration *registrations_add(const struct registration *model);

/* registrations_count, registrations_get - entries below the count are complete: safe to read at any time, in any
 * thread, in the frozen copy. */
uint32_t registrations_count(void);
struct registration *registrations_get(uint32_t index);
uint64_t registrations_dropped(void);

/* registrations_generation - how many forks lie between the first process and this one. */
uint32_t registrations_generation(void);
/* registrations_own - registrations made by this very process (not inherited, not standard, not baseline), plus
 * removals since the fork: what report=auto asks for. */
uint32_t registrations_own(void);

/* registrations_mark - everything so far becomes the baseline. Signal: safe. */
void registrations_mark(void);
/* registrations_finalize - @handle went through __cxa_finalize: flag its native entries that are not flagged yet.
 * Thread: any. Signal: not safe. Cost: one look-up for a handle without entries. Return: number of entries flagged. */
uint32_t registrations_finalize(uintptr_t handle, bool in_handler);
/* registrations_remove - @entry is gone from the host's table: note why (once; later calls change nothing). */
void registrations_remove(struct registration *entry, enum registration_removal why);

/* closings_add, closings_count, closings_get - as their namesakes for registrations; generation, thread and time are
 * filled in. */
void closings_add(const struct closing *model);
uint32_t closings_count(void);
const struct closing *closings_get(uint32_t index);

/* ledger_prepare, ledger_parent, ledger_child - the ledger's part of the fork protocol, called by entry/atfork only.
 * The child's resets all ledger locks and counts one generation. */
void ledger_prepare(void);
void ledger_parent(void);
void ledger_child(void);
/* ledger_thaw - in the frozen copy, or in a child that ran no handlers: forget locks that other threads held. What was
 * recorded is whole at every instant, so nothing else needs mending. */
void ledger_thaw(void);

#endif
