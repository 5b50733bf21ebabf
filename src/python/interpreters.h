/* SPDX-License-Identifier: Apache-2.0 */
/* interpreters.h - the interpreters seen starting, and where each keeps its fork callables. */
#ifndef PYTHON_INTERPRETERS_H
#define PYTHON_INTERPRETERS_H
#include <stdbool.h>
#include <stdint.h>

#include "ledger/registrations.h"
#include "python/capi.h"

#define INTERPRETERS_MAX 256u

struct interpreter {
	void *state;                /* PyInterpreterState, for comparing only */
	int64_t id;                 /* as Python numbers them */
	pyobject *lists[PHASES];    /* borrowed for ever; NULL where not found */
	uint64_t hidden;            /* objects that its start-up itself has put out of the collector's sight (3.12) */
	bool main, ended;
	const char *problem;        /* why its lists or its end cannot be seen, or NULL */
};

/* interpreters_begin - a new entry for the current interpreter, its lists found and its last atexit callback set.
 * @module: the posix module; @real: the real os.register_at_fork. With the GIL. Never leaves an exception behind. */
void interpreters_begin(pyobject *module, fastcall_fn real);

/* interpreters_late - an entry for the main interpreter of a Python that started without our seeing it: the lists are
 * found by a search of the whole heap, so only in the frozen copy. */
void interpreters_late(void);

/* interpreters_current - index of the current thread's interpreter, or INTERPRETER_NONE. */
uint32_t interpreters_current(void);
uint32_t interpreters_count(void);
struct interpreter *interpreters_get(uint32_t index);

/* interpreters_at_exit - set the function that the main interpreter's last atexit callback calls. */
void interpreters_at_exit(void (*function)(void));

#endif
