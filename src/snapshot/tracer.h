/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracer.h - the process that holds all threads of another still but one, and reads their registers. It shares the
 * memory of that process, and the thread-local variables of the one thread; so it makes raw system calls only.
 *
 * No thread gets a signal. Whoever is in the kernel comes out of it and goes in again, without its knowing (but for the
 * four calls that the man page names). A signal that comes meanwhile is delivered when the thread runs on. When the
 * tracer ends, in whatever way, the kernel lets all threads go.
 */
#ifndef SNAPSHOT_TRACER_H
#define SNAPSHOT_TRACER_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "native/halted.h"

enum tracer_phase {
	TRACER_AT_WORK,
	TRACER_WANTS_LEAVE,   /* Yama: prctl(PR_SET_PTRACER) has to be called by the traced */
	TRACER_HOLDS,         /* they stand still */
	TRACER_GIVES_UP,      /* nobody does, and nobody will */
};

enum tracer_order {
	TRACER_NONE,
	TRACER_LEAVE_GIVEN,
	TRACER_LET_GO,        /* the copy is there */
};

struct tracer_thread {
	pid_t tid;
	int state;            /* tracer.c's */
};

struct tracer {
	struct halted *halted;    /* filled */
	uint32_t phase;           /* futex word of the one thread's, enum tracer_phase */
	uint32_t order;           /* futex word of the tracer's, enum tracer_order */
	pid_t process, thread;    /* whose threads; the one that goes on */
	uint64_t began_ns, ended_ns;  /* when the first was stopped (0: none), when all were let go */
	uint32_t count, room;     /* of threads */
	uint32_t hint;            /* which of them is likely the next that is listed */
	long found;
	bool leave_asked;
	bool more;                /* than there is room for */
	struct tracer_thread *threads;
};

/* tracer_run - the whole of its life; for clone. Return: its exit status. */
int tracer_run(void *tracer);

#endif
