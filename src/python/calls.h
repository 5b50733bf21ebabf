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
#include "python/memo.h"

#define CALLS_ROOM 512u    /* frames remembered; the innermost ones of deeper stacks */
#define CALLS_NODES_LOG2 12u
#define CALLS_LINES 1024u  /* a power of two */
#define CALLS_NONE 1u      /* no frame has this address */

/* What is compared at every allocation, and what a frame that is as it was means. */
struct calls_link {
	_Alignas(16) uintptr_t outer;  /* the frame that has called this one */
	uint64_t at;                   /* layout_at */
};

struct calls_step {
	uintptr_t frame, code;
	uint32_t node, serial;   /* serial 0: a frame that adds nothing, its node is the caller's */
	uint32_t id;             /* of the code's names, 0: not asked for (codes.h) */
	uintptr_t chunk;         /* that the frame lies in (layout_chunk), 0: not known */
	uint32_t run;            /* frames from here outward that lie in it, too */
	/* How many frames show, up to and with this one; and where, from here outward, as many lie behind as a report
	 * shows. */
	uint16_t shown, until;
};

/* The node of an instruction under a parent. Kept from the second sight on, as most of a program's beginning never
 * comes again. */
struct calls_known {
	uint64_t at;
	uintptr_t code;
	uint32_t parent, serial, node;
	uint32_t deaths;         /* codes_deaths then */
	uint32_t id;             /* of the code's names */
};

/* The leaf that an allocation got. */
struct calls_leaf {
	uint32_t node, epoch, leaf;
};

struct calls {
	uintptr_t thread;        /* as pthread_self says */
	struct calls *next;
	bool busy;
	uint8_t tick;
	/* Of the steps below, for the hot path: the innermost frame (CALLS_NONE: not known), its caller's node, how many
	 * frames there are from it outward as far as a report shows, its link, and the chunk that all of them outside it
	 * lie in (0: not all). */
	uintptr_t innermost;
	uint32_t parent, shows;
	const struct calls_link *top;
	uintptr_t chunk;

	struct calls_leaf latest[2];  /* by memo_kind; leaf 0: none yet */
	uint32_t deaths;         /* codes_deaths when the steps were taken */
	uint32_t count;
	uintptr_t now;           /* the chunk that frames are made in */
	/* Outermost first; [0] stands for what lies outside: frame 0 and the root as a rule. */
	struct calls_link links[CALLS_ROOM + 1];
	struct calls_step steps[CALLS_ROOM + 1];
	uint16_t node_tags[1u << CALLS_NODES_LOG2];  /* most of what is not known is told without a look at the nodes */
	struct calls_known nodes[1u << CALLS_NODES_LOG2];
	struct { uint32_t serial; int32_t offset; uint32_t line; } lines[CALLS_LINES];
	struct line_cursor cursors[LINES_CURSORS];
	uintptr_t pending[CALLS_ROOM];
	char text[CODES_TEXT];
	struct memo memo;
};

/* calls_mine - the calling thread's, made at first use; NULL without memory. That of a thread that has ended is
 * taken over by a new one at the same place. Thread, fork: any. Signal: not at first use. */
extern __thread struct calls *calls_known __attribute__((tls_model("initial-exec"), visibility("hidden")));
struct calls *calls_make(void);
static inline struct calls *calls_mine(void) { return likely(calls_known) ? calls_known : calls_make(); }

/* calls_node - the path of the stack whose innermost frame is @frame, of the thread state @thread; what is remembered
 * is brought up to it. The caller has set busy, and holds the GIL. errno unchanged. calls_leaf_find - the leaf of
 * the kind @which (memo_kind) for an allocation from @caller there: under the native frames that @native (NULL:
 * none) finds. */
uint32_t calls_node(struct calls *calls, uintptr_t thread, uintptr_t frame);
uint32_t calls_leaf_find(struct calls *calls, uintptr_t thread, uintptr_t frame, const struct caller *caller,
			 unsigned which, memo_native_fn native);

/* calls_same - are the @left frames from @frame outward, which has @link, linked as they were, and all but @frame
 * itself where they were? For versions whose instruction is a pointer. */
static inline __attribute__((always_inline))
bool calls_same(const struct calls_link *link, uintptr_t frame, unsigned left)
{
	const unsigned previous = layout.previous, instruction = layout.instruction;
	uintptr_t outer;

#define SAME(outward) \
	outer = link[1 - (outward)].outer; \
	if (unlikely(layout_word(frame, previous) != outer) || \
	    unlikely(layout_word(outer, instruction) != link[-(outward)].at)) \
		return false; \
	frame = outer;
	for (; left > 4; left -= 4, link -= 4) {
		SAME(1) SAME(2) SAME(3) SAME(4)
	}
	for (; left > 1; left--, link--) {
		SAME(1)
	}
#undef SAME
	return likely(layout_word(frame, previous) == link->outer);
}

/* calls_same_chunk - the same where a frame's link and instruction are neighbours, and all frames outside @frame lie in
 * the chunk of memory that the thread's frames are made in now: all can be read, still a frame or not, so there is no
 * branch for each. */
typedef uint64_t calls_pair __attribute__((vector_size(16), may_alias));
typedef uint64_t calls_pair_of_frame __attribute__((vector_size(16), aligned(8), may_alias));

static inline __attribute__((always_inline))
bool calls_same_chunk(const struct calls_link *link, uintptr_t frame, unsigned left)
{
	const unsigned previous = layout.previous;
	uintptr_t outer = link->outer;
	calls_pair changed = { layout_word(frame, previous) ^ outer };

#define COMPARE(outward) \
	changed |= *(const calls_pair_of_frame *)(outer + previous) ^ *(const calls_pair *)&link[-(outward)]; \
	outer = link[-(outward)].outer;
	for (; left > 4; left -= 4, link -= 4) {
		COMPARE(1) COMPARE(2) COMPARE(3) COMPARE(4)
	}
	for (; left > 1; left--, link--) {
		COMPARE(1)
	}
#undef COMPARE
	return likely((changed[0] | changed[1]) == 0);
}

/* calls_outside - is the remembered stack that of the frame that was its innermost, but for where that is at? As far
 * as a report shows. @chunk: as for calls_leaf. */
static inline __attribute__((always_inline)) bool calls_outside(const struct calls *calls, uintptr_t chunk)
{
	return chunk && likely(calls->chunk == chunk) ? calls_same_chunk(calls->top, calls->innermost, calls->shows) :
							calls_same(calls->top, calls->innermost, calls->shows);
}

/* calls_leaf - for an allocation in the frame @frame; the thread's frames are made in @chunk now (0: not known). 0:
 * calls_leaf_find knows. @which: memo_kind. */
static inline __attribute__((always_inline))
uint32_t calls_leaf(struct calls *calls, uintptr_t frame, uintptr_t chunk, const struct caller *caller, unsigned which)
{
	uint64_t at;

	if (unlikely(calls->innermost != frame))
		return 0;
	at = layout_word(frame, layout.instruction);
	struct memo_place place = memo_place(memo_hash(at, calls->parent, caller));
	if (unlikely(!memo_holds(&calls->memo, place, at, calls->parent, caller))) {
		place = memo_beside(place);
		if (!memo_holds(&calls->memo, place, at, calls->parent, caller))
			return 0;
	}
	return calls_outside(calls, chunk) ? calls->memo.heads[place.at].leaf[which] : 0;
}

#endif
