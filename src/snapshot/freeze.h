/* SPDX-License-Identifier: Apache-2.0 */
/* freeze.h - run a piece of work in a copy-on-write copy of this process (design: "Freeze, then look"). */
#ifndef SNAPSHOT_FREEZE_H
#define SNAPSHOT_FREEZE_H
#include <stdbool.h>
#include <stdint.h>

enum freeze_result {
	FREEZE_DONE,      /* the work returned */
	FREEZE_REFUSED,   /* no copy could be made (error: negative errno) */
	FREEZE_CRASHED,   /* the copy died (signal) */
	FREEZE_TIMEOUT,   /* it ran longer than allowed and was killed */
	FREEZE_MEMORY,    /* it ran into its memory cap */
};

struct freeze_outcome {
	enum freeze_result result;
	int status;         /* FREEZE_DONE: what the work returned; REFUSED: -errno; CRASHED: signal number */
	uint64_t pause_ns;  /* how long this process stood still for the copy to be made */
};

/* A copy in the making: two steps, so that a caller can release the GIL between them. */
struct freeze;

/* freeze_start - make the copy and run @work(@argument) in it; its return value (>= 0 or negative errno) comes back.
 * In the copy: all signals blocked, no host descriptor but @keep_fd (-1: none), malloc family from the bump arena, dies with
 * this process, first choice of the OOM killer, no core dump, RLIMIT_FSIZE raised to its hard limit.
 * @memory: cap in bytes of what the copy's arena may map, 0 none.
 * Return: 0 with *@freeze set, or a negative errno (REFUSED). errno unchanged. */
int freeze_start(int (*work)(void *), void *argument, int keep_fd, uint64_t memory, struct freeze **freeze);

/* freeze_wait - wait at most @timeout_ns, then kill; reaps the copy in every case and frees @freeze. */
void freeze_wait(struct freeze *freeze, uint64_t timeout_ns, struct freeze_outcome *outcome);

/* freeze_in_place - where no copy can be had at an exit: run @work here, with this thread's malloc family served by the
 * arena. Return: what the work returned. */
int freeze_in_place(int (*work)(void *), void *argument, uint64_t memory);

/* freeze_inside - true in the copy, and in this thread during freeze_in_place: wrappers forward, take no snapshot. */
bool freeze_inside(void);

#endif
