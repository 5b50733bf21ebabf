/* SPDX-License-Identifier: Apache-2.0 */
/* stop.h - hold all other threads still while this one makes a copy of the process. */
#ifndef SNAPSHOT_STOP_H
#define SNAPSHOT_STOP_H
#include "native/halted.h"
#include "snapshot/tracer.h"

struct stop {
	struct halted *halted;  /* for the copy; NULL if there was no memory for it */
	struct tracer *tracer;
	size_t halted_size, tracer_size;
	long pid;               /* of the tracer, else negative */
};

/* stop_begin - some milliseconds at most; afterwards the others stand still or @stop->halted says why not. Until
 * stop_end nothing must be called that takes a lock: one of them may hold it. All signals must be blocked.
 * Memory: mmap. errno unchanged. */
void stop_begin(struct stop *stop);

/* stop_end - the copy is made: say so, let them go on. Return: how many nanoseconds they stood still, 0 if not at
 * all. */
uint64_t stop_end(struct stop *stop);

#endif
