/* SPDX-License-Identifier: Apache-2.0 */
#include "python/trail.h"

#include <pthread.h>
#include <string.h>

#include "base/options.h"
#include "base/os.h"
#include "ledger/traces.h"
#include "python/capi.h"
#include "python/codes.h"
#include "python/layout.h"

#define NEAR 8u  /* steps looked through for a frame that is not expected there */

__thread struct trail *trail_known;
static struct trail *trails;

__attribute__((noinline)) struct trail *trail_make(void)
{
	uintptr_t self = (uintptr_t)pthread_self();
	struct trail *trail = __atomic_load_n(&trails, __ATOMIC_ACQUIRE);

	while (trail && trail->thread != self)
		trail = trail->next;
	if (trail) {
		trail->busy = false;
		trail->count = 0;
		return trail_known = trail;
	}
	trail = os_map(sizeof *trail);
	if (!trail)
		return NULL;
	trail->thread = self;
	trail->next = __atomic_load_n(&trails, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&trails, &trail->next, trail, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return trail_known = trail;
}

static uint32_t line_of(struct trail *trail, uintptr_t code, uint32_t serial, int32_t offset)
{
	unsigned slot = (serial * 0x9e3779b1u ^ (uint32_t)offset * 0x85ebca6bu) >> 22 & (TRAIL_LINES - 1);

	if (trail->lines[slot].serial != serial || trail->lines[slot].offset != offset) {
		int line = py.PyCode_Addr2Line((pyobject *)code, offset);
		trail->lines[slot].serial = serial;
		trail->lines[slot].offset = offset;
		trail->lines[slot].line = line > 0 ? (uint32_t)line : 0;
	}
	return trail->lines[slot].line;
}

/* The node of @step, which has its code and serial, under @parent. */
static uint32_t node_of(struct trail *trail, const struct trail_step *step, uint32_t id, uint32_t parent)
{
	unsigned slot = trail_slot(parent, step->at);

	if (trail->nodes[slot].at == step->at && trail->nodes[slot].parent == parent && trail->nodes[slot].serial == step->serial)
		return trail->nodes[slot].node;
	if (!id)
		id = codes_see(step->code, trail->text).id;
	uint32_t line = line_of(trail, step->code, step->serial, layout_offset(step->code, step->at));
	uint32_t node = traces_child(parent, trace_python(id, line));
	if (node != parent) {
		trail->nodes[slot].at = step->at;
		trail->nodes[slot].parent = parent;
		trail->nodes[slot].serial = step->serial;
		trail->nodes[slot].node = node;
	}
	return node;
}

/* A step for the frame, under the step before it. */
static void fill(struct trail *trail, struct trail_step *step, uintptr_t frame)
{
	uint32_t parent = step[-1].node;
	struct code code = { 0, 0 };

	step->frame = frame;
	step->at = layout_at(frame);
	step->serial = 0;
	step->node = parent;
	step->code = layout_runs(frame) ? layout_code(frame) : 0;
	if (step->code)
		code = codes_see(step->code, trail->text);
	if (code.id) {
		step->serial = code.serial;
		step->node = node_of(trail, step, code.id, parent);
	}
}

/* The same frame has gone on, or something outside it has. */
static void renew(struct trail *trail, struct trail_step *step)
{
	if (step->serial && layout_code(step->frame) == step->code) {
		step->at = layout_at(step->frame);
		step->node = node_of(trail, step, 0, step[-1].node);
	} else {
		fill(trail, step, step->frame);
	}
}

static void push(struct trail *trail, uintptr_t frame)
{
	if (unlikely(trail->count == TRAIL_ROOM)) {
		/* The outer half is forgotten but for its node: it is beyond what a report shows. */
		unsigned half = TRAIL_ROOM / 2;
		memmove(trail->steps, trail->steps + half, (TRAIL_ROOM + 1 - half) * sizeof trail->steps[0]);
		trail->count -= half;
	}
	fill(trail, &trail->steps[++trail->count], frame);
}

/* The step of @frame, at @top or below, within @reach; 0 if there is none. */
static unsigned find(const struct trail *trail, uintptr_t frame, unsigned top, unsigned reach)
{
	unsigned least = top > reach ? top - reach : 0;

	while (top > least && trail->steps[top].frame != frame)
		top--;
	return top > least ? top : 0;
}

__attribute__((noinline)) uint32_t trail_renew(struct trail *trail, unsigned stale)
{
	for (unsigned i = stale; i <= trail->count; i++)
		renew(trail, &trail->steps[i]);
	return trail->steps[trail->count].node;
}

/* Another code object may stand where one that has died stood, and a frame of it where its frame was. */
static void forget_dead(struct trail *trail)
{
	uint32_t deaths = codes_deaths();

	if (trail->deaths != deaths)
		trail->count = 0;
	trail->deaths = deaths;
}

__attribute__((noinline)) uint32_t trail_follow(struct trail *trail, uintptr_t frame)
{
	unsigned pending = 0, cursor, stale = 0, broken;

	forget_dead(trail);
	cursor = trail->count;
	while (frame && pending < TRAIL_ROOM) {
		unsigned there = find(trail, frame, cursor, pending < 2 ? TRAIL_ROOM : NEAR);
		if (there) {
			broken = trail_verify(trail, there, &stale);
			cursor = there;
			if (!broken)
				break;
			/* Up to the broken link the frames follow each other, outside it nothing is known. */
			cursor = broken - 1;
			for (; there > broken && pending < TRAIL_ROOM - 1; there--)
				trail->pending[pending++] = trail->steps[there].frame;
			frame = trail->steps[there].frame;
			stale = 0;
		}
		trail->pending[pending++] = frame;
		frame = layout_word(frame, layout.previous);
	}
	if (!frame || pending == TRAIL_ROOM) {
		cursor = stale = 0;
		trail->steps[0] = (struct trail_step){ .frame = frame, .node = TRACE_ROOT };
	}
	trail->count = cursor;
	for (unsigned i = stale; i && i <= cursor; i++)
		renew(trail, &trail->steps[i]);
	while (pending)
		push(trail, trail->pending[--pending]);
	return trail->steps[trail->count].node;
}

__attribute__((noinline)) uint32_t trail_leaf_new(struct trail *trail, uint32_t node, enum trace_kind kind)
{
	unsigned slot = node & (TRAIL_LEAVES - 1), which = kind - TRACE_PYTHON_MEMORY;
	uint32_t epoch = traces_epoch();

	if (trail->leaves[slot].node != node || trail->leaves[slot].epoch != epoch) {
		trail->leaves[slot].node = node;
		trail->leaves[slot].epoch = epoch;
		trail->leaves[slot].leaf[!which] = 0;
	}
	return trail->leaves[slot].leaf[which] = traces_leaf(node, kind);
}
