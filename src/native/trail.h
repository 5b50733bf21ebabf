/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trail.h - what a thread remembers of its stacks. The trail is the stack last walked, outermost frame first, with
 * the words of the stack that prove it (checks): as long as these hold their values, the frames are the same. Twigs
 * are stacks met lately that leave the trail at some frame, or are whole, found by which came after which, or by where
 * they begin.
 */
#ifndef NATIVE_TRAIL_H
#define NATIVE_TRAIL_H
#include <stdbool.h>
#include <stdint.h>
#include "native/extent.h"
#include "native/rules.h"

#define TRAIL_FIRST 256u   /* frames with room at first */
#define TRAIL_MOST 4096u   /* beyond that the outer half is let go, but not its node */
#define TRAIL_SETS 128u    /* of twigs */
#define TRAIL_WAYS 4u      /* twigs that begin at one place but lead there in other ways share a set */
#define TRAIL_MEMORY 2048u /* of which twig followed others */
#define TRAIL_LATELY 4u    /* bits by which older ones move: the last three count */
#define TRAIL_RING 2048u   /* groups of checks of twigs */
#define TRAIL_WHOLE 64u    /* a stack of so many checks is a twig of its own, whatever becomes of the trail */
#define TRAIL_LONGEST 96u  /* checks of one twig */
#define TRAIL_CHECKS 3u    /* most of one frame */
#define TRAIL_GROUP 4u     /* checks that are looked at together */

/* A word of the stack and the value that it had. */
struct check {
	uintptr_t at, value;
};

struct step {
	uint64_t key;         /* of ledger/traces.h; its lower 48 bits are the return address, or an interrupted one + 1 */
	uintptr_t sp, fp;     /* the frame's registers */
	union {
		struct {
			uint32_t node;
			uint32_t checks : 30;  /* of this frame and all outside it */
			uint32_t needs_fp : 1; /* the frame is the same only if @fp is */
			uint32_t foreign : 1;  /* it, or one outside it, lies in another module than the stop function */
		};
		struct rule rule;              /* while the frame waits to be put on the trail */
	};
};

/* Checks of a twig, innermost first: how many words above the twig's stack pointer, and the value. */
struct group {
	uint32_t place[TRAIL_GROUP];
	uintptr_t value[TRAIL_GROUP];
};

struct twig {
	uintptr_t ip, sp, fp;
	uintptr_t outer_sp;   /* the trail's frame that it leaves: its place, stack pointer and node */
	uint32_t outer_node;
	uint32_t outer;       /* TWIG_ROOTED: the twig is a whole stack, as far as it must be right */
	uint32_t node;
	uint32_t parent;      /* that @node hangs under */
	uint32_t at;          /* in the ring, in groups, counted without end */
	uint32_t leaf;        /* malloc's under @node in @epoch (ledger/traces.h) */
	uint16_t epoch;       /* TWIG_NO_EPOCH: not asked for yet, or the checks alone do not prove the stack */
	uint8_t groups;       /* the outermost check may stand in the last one several times */
	uint8_t frames;       /* at most 255 */
	bool stopping : 1, needs_fp : 1, foreign : 1;
};
_Static_assert(sizeof(struct twig) == 64, "a cache line");
#define TWIG_ROOTED UINT32_MAX
#define TWIG_NO_EPOCH UINT16_MAX

/* A stack within the interpreter, as walk_within has last followed it: outermost frame, that of the stop function,
 * first, behind one that stands for all outside it. Every frame's return address stands right below where its caller's
 * frame begins. */
#define INSIDE_MOST 64u
struct inside {
	unsigned count;
	struct inner { uintptr_t sp, ip; } frames[1 + INSIDE_MOST], waiting[INSIDE_MOST];
};

struct trail {
	uintptr_t busy;       /* the stack pointer of the call at work here, or 0; where it returns to */
	uintptr_t busy_ip;
	uint32_t epoch;       /* rules_epoch that all this holds in */
	uint32_t generation;  /* for keys, already as in them */
	bool stopping;        /* the trail ends at the stop function */
	bool whole;           /* steps[0] is the stack's outermost frame: nothing has been let go or left out */
	bool base_foreign;
	uint32_t parent;      /* given by the caller */
	uint32_t base;        /* what steps[0] hangs under: @parent, or frames let go */
	unsigned room;        /* steps there is memory for; new ones wait at the end of it, innermost last */
	unsigned count;
	unsigned made;        /* steps[0 .. made) have their node */
	struct step *steps;
	struct check *checks;
	uint32_t lately;      /* which twigs were met */
	struct extent extent;
	uint32_t ring_head;
	uintptr_t owner;      /* thread pointer, 0 while nobody's */
	struct trail *next;
	uint16_t after[TRAIL_MEMORY];           /* by @lately: the twig that was met then */
	uint16_t tags[TRAIL_SETS][TRAIL_WAYS];  /* of the twigs, 0 for none: few are looked at in vain */
	uint8_t next_way[TRAIL_SETS];
	struct twig twigs[TRAIL_SETS * TRAIL_WAYS];
	struct inside inside;
	struct group ring[TRAIL_RING];
};

/* trail_met - the stack was that of @twig (its number). */
static inline void trail_met(struct trail *trail, unsigned twig)
{
	trail->lately = (trail->lately << TRAIL_LATELY ^ twig) % TRAIL_MEMORY;
}

/* trail_init - in the constructor, in the program's first thread. */
void trail_init(void);

/* trail_acquire - the calling thread's: what it had, what a dead thread had at the same place, or new. Memory: an
 * mmap at times, and a lock that is held across forks alone, and waited for a while. Return: NULL if there is no
 * memory, this interrupts a call of the same thread, or another thread is still forking. */
struct trail *trail_acquire(void);

/* trail_clear - forget all stacks. trail_clear_twigs - but for the trail.
 * trail_grow - room for more steps, keeping those at both ends; false if there is none. */
void trail_clear(struct trail *trail);
void trail_clear_twigs(struct trail *trail);
bool trail_grow(struct trail *trail);

/* The fork protocol. */
void trail_prepare(void);
void trail_parent(void);
void trail_child(const struct trail *own);

#endif
