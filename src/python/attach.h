/* SPDX-License-Identifier: Apache-2.0 */
/* attach.h - the way into CPython: the posix module's entry, the interpreter's fork lists, the last atexit callback. */
#ifndef PYTHON_ATTACH_H
#define PYTHON_ATTACH_H
#include <stdbool.h>
#include <stdint.h>

/* python_init - in the constructor: if a libpython is there, patch the inittab's posix entry. @at_exit is called
 * from the callback that runs last among the main interpreter's atexit callbacks, with the GIL. */
void python_init(void (*at_exit)(void));

/* python_late - a libpython may have been dlopened since the start. @library: its path as the loader knows it, or NULL
 * to look among the global symbols only. Calls the loader: not where its lock may be held for ever. */
void python_late(const char *library);

/* python_can_look - this thread holds the GIL (3.13t: is attached) of an initialised, not finalised interpreter. */
bool python_can_look(void);

/* python_lock / python_unlock - for a snapshot from any thread: take the GIL if there is a live Python and this thread
 * does not hold it. Return: a token for python_unlock; -1 when there is no Python to look at. */
int python_lock(void);
void python_unlock(int token);

/* python_fork_interpreter - called in our prepare handler: index of the interpreter whose fork handlers run around this
 * very fork (PyOS_BeforeFork has run in this thread), or INTERPRETER_NONE. */
uint32_t python_fork_interpreter(void);

/* python_process - is @pid a process that Python itself knows (no raw fork between PyOS_AfterFork_Child and here)?
 * python_child: in our child handler, @interpreter as python_fork_interpreter said before the fork. */
bool python_here(void);
void python_child(uint32_t interpreter);

/* attach_problem - why Python registrations cannot be seen, or NULL. */
const char *attach_problem(void);

/* python_present - a CPython is initialised or was (so its absence from a report needs a reason). */
bool python_present(void);

#endif
