/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trail.h - the Python stack of a thread as a path of the call tree (ledger/traces.h). Each thread remembers the frames of its last
 * stack; the next one is compared with them, frame by frame along the interpreter's own links, and what is the same keeps its node.
 *
 * A frame that is remembered is read only when a living frame's link has just named it.
 */
#ifndef PYTHON_TRAIL_H
#define PYTHON_TRAIL_H
#include <stdbool.h>
#include <stdint.h>

#define TRAIL_ROOM 512u    /* frames remembered; the innermost ones of deeper stacks */
#define TRAIL_LINES 1024u  /* a power of two */
#define TRAIL_NODES 1024u

struct trail_step {
	uintptr_t frame;
	uint64_t at;             /* layout_at */
	uintptr_t code;
	uint32_t node, serial;   /* serial 0: a frame that adds nothing, its node is the caller's */
};

struct trail {
	uintptr_t thread;        /* as pthread_self says */
	struct trail *next;
	bool busy;
	uint8_t tick;
	uint32_t deaths;         /* codes_deaths when the steps were taken */
	uint32_t count;
	struct trail_step steps[TRAIL_ROOM + 1];  /* outermost first; [0] stands for what lies outside: frame 0 and the root as a rule */
	struct { uint32_t parent, serial; int32_t offset; uint32_t node; } nodes[TRAIL_NODES];
	struct { uint32_t serial; int32_t offset; uint32_t line; } lines[TRAIL_LINES];
	uintptr_t pending[TRAIL_ROOM];
	char text[];
};

/* trail_mine - the calling thread's, made at first use; NULL without memory. That of a thread that has ended is taken over by a new
 * one at the same place. Thread, fork: any. Signal: not at first use. */
struct trail *trail_mine(void);

/* trail_node - the path of the stack whose innermost frame is @frame. The caller has set busy, and holds the GIL. errno unchanged. */
uint32_t trail_node(struct trail *trail, uintptr_t frame);

#endif
