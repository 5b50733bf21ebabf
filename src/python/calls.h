/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.h - the Python stack of a thread as a path of the call tree (ledger/traces.h). Each thread remembers the
 * frames of its last stack; the next one is compared with them, frame by frame along the interpreter's own links,
 * and what is the same keeps its node.
 *
 * A frame that is remembered is read only when a living frame's link has just named it.
 */
#ifndef PYTHON_CALLS_H
#define PYTHON_CALLS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "base/os.h"
#include "ledger/traces.h"
#include "python/codes.h"
#include "python/layout.h"
#include "python/lines.h"

#define CALLS_ROOM 512u    /* frames remembered; the innermost ones of deeper stacks */
#define CALLS_NODES 1024u  /* powers of two */
#define CALLS_LINES 1024u
#define CALLS_LEAVES 256u

struct calls_step {
	uintptr_t frame;
	uint64_t at;             /* layout_at */
	uintptr_t code;
	uint32_t node, serial;   /* serial 0: a frame that adds nothing, its node is the caller's */
};

/* The leaves of a node for Python's two kinds, 0 if not asked for yet, in one epoch. */
struct calls_leaves {
	uint32_t node, epoch, leaf[2];
};

/* The node of an instruction under a parent. */
struct calls_known {
	uint64_t at;
	uint32_t parent, serial;
	struct calls_leaves under;
};

struct calls {
	uintptr_t thread;        /* as pthread_self says */
	struct calls *next;
	bool busy;
	uint8_t tick;
	uint32_t deaths;         /* codes_deaths when the steps were taken */
	uint32_t count;
	/* Outermost first; [0] stands for what lies outside: frame 0 and the root as a rule. */
	struct calls_step steps[CALLS_ROOM + 1];
	/* How many of them show, up to and with each; and where, from each outward, as many lie behind as a report
	 * shows. */
	uint16_t shown[CALLS_ROOM + 1], until[CALLS_ROOM + 1];
	struct calls_known nodes[CALLS_NODES];
	struct calls_known *latest;              /* the innermost frame's, as a rule */
	struct calls_leaves leaves[CALLS_LEAVES]; /* of other nodes: native frames lie between */
	struct { uint32_t serial; int32_t offset; uint32_t line; } lines[CALLS_LINES];
	struct line_cursor cursors[LINES_CURSORS];
	uintptr_t pending[CALLS_ROOM];
	char text[CODES_TEXT];
};

/* calls_mine - the calling thread's, made at first use; NULL without memory. That of a thread that has ended is
 * taken over by a new one at the same place. Thread, fork: any. Signal: not at first use. */
extern __thread struct calls *calls_known __attribute__((tls_model("initial-exec"), visibility("hidden")));
struct calls *calls_make(void);
static inline struct calls *calls_mine(void) { return likely(calls_known) ? calls_known : calls_make(); }

/* The ways that are not taken often. */
uint32_t calls_follow(struct calls *calls, uintptr_t frame);
uint32_t calls_renew(struct calls *calls, unsigned stale);
uint32_t calls_leaf_new(struct calls *calls, uint32_t node, enum trace_kind kind);

/* Is the chain from step @from outward what it was? Return: the step whose link leads elsewhere, or 0. *@stale: the
 * outermost step that has gone on, or 0. As far as a report shows. */
static inline __attribute__((always_inline))
unsigned calls_verify(const struct calls *calls, unsigned from, unsigned *stale)
{
	const struct calls_step *step = &calls->steps[from], *until = &calls->steps[calls->until[from]];
	const unsigned previous = layout.previous, instruction = layout.instruction;
	const bool pointers = layout.unit == 0;
	unsigned changed = 0;

	for (; step > until; step--) {
		if (unlikely(layout_word(step->frame, previous) != step[-1].frame))
			return (unsigned)(step - calls->steps);
		if ((likely(pointers) ? layout_word(step->frame, instruction) : layout_at(step->frame)) != step->at)
			changed = (unsigned)(step - calls->steps);
	}
	*stale = changed;
	return 0;
}

static inline unsigned calls_slot(uint32_t parent, uint64_t at)
{
	return ((uint32_t)(at >> 1) + (parent * 0x9e3779b1u >> 20)) & (CALLS_NODES - 1);
}

/* calls_node - the path of the stack whose innermost frame is @frame. The caller has set busy, and holds the GIL.
 * errno unchanged. */
static inline uint32_t calls_node(struct calls *calls, uintptr_t frame)
{
	struct calls_step *top = &calls->steps[calls->count];
	unsigned stale = 0, slot;

	if (unlikely(!frame))
		return TRACE_ROOT;
	if (unlikely(top->frame != frame || !calls->count || calls->deaths != codes_deaths() ||
		     calls_verify(calls, calls->count, &stale)))
		return calls_follow(calls, frame);
	if (likely(!stale))
		return top->node;
	/* As a rule the innermost frame alone has gone on, to an instruction that is known. */
	if (likely(stale == calls->count && layout_code(frame) == top->code)) {
		uint64_t at = layout_at(frame);
		slot = calls_slot(top[-1].node, at);
		if (likely(calls->nodes[slot].at == at && calls->nodes[slot].parent == top[-1].node &&
			   calls->nodes[slot].serial == top->serial)) {
			top->at = at;
			calls->latest = &calls->nodes[slot];
			return top->node = calls->nodes[slot].under.node;
		}
	}
	return calls_renew(calls, stale);
}

/* calls_leaf - traces_leaf of @node for the two kinds that Python has. */
static inline uint32_t calls_leaf(struct calls *calls, uint32_t node, enum trace_kind kind)
{
	const struct calls_leaves *leaves = &calls->leaves[node & (CALLS_LEAVES - 1)];
	unsigned which = kind - TRACE_PYTHON_MEMORY;

	if (likely(calls->latest && calls->latest->under.node == node))
		leaves = &calls->latest->under;
	if (likely(leaves->node == node && leaves->epoch == traces_epoch() && leaves->leaf[which]))
		return leaves->leaf[which];
	return calls_leaf_new(calls, node, kind);
}

#endif
