/* SPDX-License-Identifier: Apache-2.0 */
/* interpreters.h - the interpreters seen starting, and where each keeps its fork callables. */
#ifndef PYTHON_INTERPRETERS_H
#define PYTHON_INTERPRETERS_H
#include <stdbool.h>
#include <stdint.h>

#include "ledger/registrations.h"
#include "python/capi.h"

#define INTERPRETERS_MAX 256u

/* Functions of the gc module, held from the interpreter's start on: an import runs Python code, which in the frozen
 * copy would wait for ever where another thread had asked for the GIL. */
#define GC_FUNCTIONS(X) X(GET_REFERRERS, "get_referrers") X(GET_OBJECTS, "get_objects") \
	X(FREEZE_COUNT, "get_freeze_count") X(IS_ENABLED, "isenabled") X(DISABLE, "disable") X(ENABLE, "enable")
#define GC_FUNCTION_INDEX(name, text) GC_##name,
enum gc_function { GC_FUNCTIONS(GC_FUNCTION_INDEX) GC_FUNCTION_COUNT };

struct interpreter {
	void *state;                /* PyInterpreterState, for comparing only */
	int64_t id;                 /* as Python numbers them */
	pyobject *lists[PHASES];    /* borrowed for ever; NULL where not found */
	pyobject *gc[GC_FUNCTION_COUNT];  /* owned; NULL where there is none */
	uint64_t hidden;            /* objects that its start-up itself has put out of the collector's sight (3.12) */
	bool main, ended;
	const char *problem;        /* why its lists or its end cannot be seen, or NULL */
};

/* interpreters_begin - a new entry for the current interpreter, its lists found and its last atexit callback set.
 * @module: the posix module; @real: the real os.register_at_fork. With the GIL. Never leaves an exception behind. */
void interpreters_begin(pyobject *module, fastcall_fn real);

/* interpreters_late - an entry for the main interpreter of a Python that started without our seeing it: the lists are
 * found by a search of the whole heap, so only in the frozen copy; imports nothing. */
void interpreters_late(void);

/* interpreters_gc - call a function of @interpreter's gc module without arguments: C code only. A new reference, or
 * NULL. */
pyobject *interpreters_gc(const struct interpreter *interpreter, enum gc_function function);

/* interpreters_pause_gc - no collection from now on: before 3.12 any allocation of ours could start one, which
 * would run finalizers and free what the graph names. Return: true if it was on, for interpreters_resume_gc. With
 * the GIL. */
bool interpreters_pause_gc(void);
void interpreters_resume_gc(void);

/* interpreters_hidden - how many objects gc.freeze() hides, beyond those of the start-up. */
uint64_t interpreters_hidden(const struct interpreter *interpreter);

/* interpreters_current - index of the current thread's interpreter, or INTERPRETER_NONE. */
uint32_t interpreters_current(void);
uint32_t interpreters_count(void);
struct interpreter *interpreters_get(uint32_t index);

/* interpreters_at_exit - set the function that the main interpreter's last atexit callback calls. */
void interpreters_at_exit(void (*function)(void));

#endif
