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
	FREEZE_MEMORY,    /* it ran into its memory cap, or the kernel gave it no more */
};

struct freeze_outcome {
	enum freeze_result result;
	int status;         /* FREEZE_DONE: what the work returned; REFUSED: -errno; CRASHED: signal number */
	uint64_t pause_ns;  /* how long this process, all its threads if they were stopped, stood still */
};

/* Who is served by the copy's heap instead of the host's allocator. 0 for all of a host's life but its last moments:
 * the one branch in front of every malloc. Written by freeze.c only. */
enum freeze_mode {
	FREEZE_MODE_HOST,      /* nobody */
	FREEZE_MODE_COPY,      /* everybody: this is the copy */
	FREEZE_MODE_IN_PLACE,  /* the thread in freeze_in_place; and blocks of that heap may be anywhere from now on */
};
extern unsigned char freeze_mode __attribute__((visibility("hidden")));

/* A copy in the making: two steps, so that a caller can release the GIL between them. */
struct freeze;
struct halted;

/* freeze_start - make the copy and run @work(@argument) in it; its return value (>= 0 or negative errno) comes back.
 * @stop: all other threads stand still meanwhile if that can be had (freeze_halted).
 * In the copy: all signals blocked, no host descriptor but @keep_fd (-1: none; 0 to 2 lead nowhere), malloc family from
 * the bump heap, dies with this process, first choice of the OOM killer, no core dump, RLIMIT_FSIZE and RLIMIT_NOFILE
 * raised to their hard limits. It has a pid of its own: what the report says about the process must be taken before.
 * @memory: cap in bytes of what the copy's heap may map, 0 none.
 * Thread: any. Signal: safe. Return: 0 with *@freeze set, or a negative errno (REFUSED). errno unchanged. */
int freeze_start(int (*work)(void *), void *argument, int keep_fd, uint64_t memory, bool stop, struct freeze **freeze);

/* freeze_wait - wait at most @timeout_ns, then kill; reaps the copy in every case and frees *@freeze, which is
 * NULL before its memory goes. Signal handlers of the host run meanwhile. Must be called by the thread that called
 * freeze_start. errno unchanged. */
void freeze_wait(struct freeze **freeze, uint64_t timeout_ns, struct freeze_outcome *outcome);

/* freeze_join - wait until the work of @freeze is done or @timeout_ns is over, without reaping: for an end that comes
 * from a signal handler inside freeze_wait. Signal: safe. */
void freeze_join(struct freeze *freeze, uint64_t timeout_ns);

/* freeze_in_place - where no copy can be had at an exit: run @work here, with this thread's malloc family served by the
 * bump heap. Return: what the work returned. */
int freeze_in_place(int (*work)(void *), void *argument, uint64_t memory);

/* freeze_inside - true in the copy, and in this thread during freeze_in_place: wrappers forward, take no snapshot. */
bool freeze_inside(void);

/* freeze_shared_pause - in the copy: where the parent writes pause_ns as soon as it runs on; NULL elsewhere.
 * freeze_await_pause - in the copy: wait until it is there, as the copy may well run first; elsewhere nothing. */
const volatile uint64_t *freeze_shared_pause(void);
void freeze_await_pause(void);

/* freeze_halted - in the copy: where the other threads stood; NULL elsewhere, and where they were not to be stopped. */
const struct halted *freeze_halted(void);

#endif
