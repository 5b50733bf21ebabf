/* SPDX-License-Identifier: Apache-2.0 */
/*
 * halted.h - where the other threads stood while the frozen copy was made, and what their registers held. Lies in
 * memory shared between the host and the copy; the snapshot's tracer fills it.
 */
#ifndef NATIVE_HALTED_H
#define NATIVE_HALTED_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum halted_verdict {
	HALTED_OPEN,     /* not known yet */
	HALTED_HELD,     /* all that are listed stood still as long as it took to make the copy */
	HALTED_VOID,     /* nobody was stopped, or somebody went on before the copy was there */
};

enum halted_problem {
	HALTED_FINE,     /* or some did not stop in time */
	HALTED_REFUSED,  /* ptrace (error: errno) */
	HALTED_TRACED,   /* a debugger is there already */
	HALTED_SECCOMP,  /* a filter of system calls has something against it */
	HALTED_NO_LIST,  /* of threads: no /proc (error: errno) */
	HALTED_NO_CHILD, /* the process that stops them could not be made (error: errno) */
	HALTED_DIED,     /* it died, or was too slow */
};

struct halted_thread {
	uintptr_t sp;    /* nothing below is in use */
	uintptr_t tp;    /* its thread pointer, 0 if not known */
};

struct halted {
	uint32_t verdict;    /* futex word; enum halted_verdict */
	uint32_t problem;    /* enum halted_problem */
	int32_t error;
	uint32_t others;     /* threads that there were besides the one that made the copy */
	uint32_t count;      /* of these stopped, and listed in threads */
	size_t used, room;   /* bytes of words: their registers, one after the other */
	char *words;
	struct halted_thread threads[];
};

/* halted_held - in the copy: may what @halted lists be used? Waits for the verdict, which comes as soon as the host
 * runs on; not for long, as the host may have been stopped. */
bool halted_held(const struct halted *halted);

/* halted_settle - say the verdict, unless one has been said. */
void halted_settle(struct halted *halted, enum halted_verdict verdict);

/* halted_reason - why not all registers are known, or NULL: in static memory. @halted: NULL where nothing was tried. */
const char *halted_reason(const struct halted *halted);

#endif
