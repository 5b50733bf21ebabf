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

#include "base/options.h"
#include "base/os.h"
#include "ledger/traces.h"
#include "python/codes.h"
#include "python/layout.h"

#define TRAIL_ROOM 512u    /* frames remembered; the innermost ones of deeper stacks */
#define TRAIL_NODES 1024u  /* powers of two */
#define TRAIL_LINES 1024u
#define TRAIL_LEAVES 256u

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
	/* Outermost first; [0] stands for what lies outside: frame 0 and the root as a rule. */
	struct trail_step steps[TRAIL_ROOM + 1];
	struct { uint64_t at; uint32_t parent, serial, node, unused; } nodes[TRAIL_NODES];
	struct { uint32_t node, epoch, leaf[2]; } leaves[TRAIL_LEAVES];
	struct { uint32_t serial; int32_t offset; uint32_t line; } lines[TRAIL_LINES];
	uintptr_t pending[TRAIL_ROOM];
	char text[CODES_TEXT];
};

/* trail_mine - the calling thread's, made at first use; NULL without memory. That of a thread that has ended is taken over by a new
 * one at the same place. Thread, fork: any. Signal: not at first use. */
extern __thread struct trail *trail_known __attribute__((tls_model("initial-exec"), visibility("hidden")));
struct trail *trail_make(void);
static inline struct trail *trail_mine(void) { return likely(trail_known) ? trail_known : trail_make(); }

/* The ways that are not taken often. */
uint32_t trail_follow(struct trail *trail, uintptr_t frame);
uint32_t trail_renew(struct trail *trail, unsigned stale);
uint32_t trail_leaf_new(struct trail *trail, uint32_t node, enum trace_kind kind);

/* Is the chain from step @from outward what it was? Return: the step whose link leads elsewhere, or 0. *@stale: the outermost step
 * that has gone on, or 0. As far as a report shows. */
static inline unsigned trail_verify(const struct trail *trail, unsigned from, unsigned *stale)
{
	const struct trail_step *step = &trail->steps[from];
	unsigned shown = (unsigned)options.frames, changed = 0;

	for (; step > trail->steps; step--) {
		if (unlikely(layout_word(step->frame, layout.previous) != step[-1].frame))
			return (unsigned)(step - trail->steps);
		if (layout_at(step->frame) != step->at)
			changed = (unsigned)(step - trail->steps);
		if (step->serial && --shown == 0)
			break;
	}
	*stale = changed;
	return 0;
}

static inline unsigned trail_slot(uint32_t parent, uint64_t at)
{
	return ((uint32_t)(at >> 1) + (parent * 0x9e3779b1u >> 20)) & (TRAIL_NODES - 1);
}

/* trail_node - the path of the stack whose innermost frame is @frame. The caller has set busy, and holds the GIL. errno unchanged. */
static inline uint32_t trail_node(struct trail *trail, uintptr_t frame)
{
	struct trail_step *top = &trail->steps[trail->count];
	unsigned stale, slot;

	if (unlikely(!frame))
		return TRACE_ROOT;
	if (unlikely(top->frame != frame || !trail->count || trail->deaths != codes_deaths() ||
		     trail_verify(trail, trail->count, &stale)))
		return trail_follow(trail, frame);
	if (likely(!stale))
		return top->node;
	/* As a rule the innermost frame alone has gone on, to an instruction that is known. */
	if (likely(stale == trail->count && layout_code(frame) == top->code)) {
		uint64_t at = layout_at(frame);
		slot = trail_slot(top[-1].node, at);
		if (likely(trail->nodes[slot].at == at && trail->nodes[slot].parent == top[-1].node &&
			   trail->nodes[slot].serial == top->serial)) {
			top->at = at;
			return top->node = trail->nodes[slot].node;
		}
	}
	return trail_renew(trail, stale);
}

/* trail_leaf - traces_leaf of @node for the two kinds that Python has. */
static inline uint32_t trail_leaf(struct trail *trail, uint32_t node, enum trace_kind kind)
{
	unsigned slot = node & (TRAIL_LEAVES - 1), which = kind - TRACE_PYTHON_MEMORY;

	if (likely(trail->leaves[slot].node == node && trail->leaves[slot].epoch == traces_epoch() &&
		   trail->leaves[slot].leaf[which]))
		return trail->leaves[slot].leaf[which];
	return trail_leaf_new(trail, node, kind);
}

#endif
