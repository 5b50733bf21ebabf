/* SPDX-License-Identifier: Apache-2.0 */
#include "python/calls.h"

#include <pthread.h>
#include <string.h>

#include "base/options.h"
#include "base/os.h"
#include "ledger/traces.h"
#include "python/codes.h"
#include "python/layout.h"
#include "python/lines.h"

#define NEAR 8u  /* steps looked through for a frame that is not expected there */

__thread struct calls *calls_known;
static struct calls *all;

__attribute__((noinline)) struct calls *calls_make(void)
{
	uintptr_t self = (uintptr_t)pthread_self();
	struct calls *calls = __atomic_load_n(&all, __ATOMIC_ACQUIRE);

	while (calls && calls->thread != self)
		calls = calls->next;
	if (calls) {
		calls->busy = false;
		calls->count = 0;
		return calls_known = calls;
	}
	calls = os_map(sizeof *calls);
	if (!calls)
		return NULL;
	calls->thread = self;
	calls->next = __atomic_load_n(&all, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&all, &calls->next, calls, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return calls_known = calls;
}

static uint32_t line_of(struct calls *calls, uintptr_t code, uint32_t serial, int32_t offset)
{
	unsigned slot = (serial * 0x9e3779b1u ^ (uint32_t)offset * 0x85ebca6bu) >> 22 & (CALLS_LINES - 1);

	if (calls->lines[slot].serial != serial || calls->lines[slot].offset != offset) {
		calls->lines[slot].line = lines_find(calls->cursors, code, serial, offset);
		calls->lines[slot].serial = serial;
		calls->lines[slot].offset = offset;
	}
	return calls->lines[slot].line;
}

/* The node of @step, which has its code and serial, under @parent. */
static uint32_t node_of(struct calls *calls, const struct calls_step *step, uint32_t id, uint32_t parent)
{
	unsigned slot = calls_slot(parent, step->at);

	if (calls->nodes[slot].at == step->at && calls->nodes[slot].parent == parent &&
	    calls->nodes[slot].serial == step->serial)
		return (calls->latest = &calls->nodes[slot])->under.node;
	if (!id)
		id = codes_see(step->code, calls->text).id;
	uint32_t line = line_of(calls, step->code, step->serial, layout_offset(step->code, step->at));
	uint32_t node = traces_child(parent, trace_python(id, line));
	if (node != parent) {
		calls->nodes[slot] = (struct calls_known){ step->at, parent, step->serial, { .node = node } };
		calls->latest = &calls->nodes[slot];
	}
	return node;
}

/* A step for the frame, under the step before it. */
static void fill(struct calls *calls, struct calls_step *step, uintptr_t frame)
{
	uint32_t parent = step[-1].node;
	struct code code = { 0, 0 };

	step->frame = frame;
	step->at = layout_at(frame);
	step->serial = 0;
	step->node = parent;
	step->code = layout_runs(frame) ? layout_code(frame) : 0;
	if (step->code)
		code = codes_see(step->code, calls->text);
	if (code.id) {
		step->serial = code.serial;
		step->node = node_of(calls, step, code.id, parent);
	}
}

/* The step before it is right already. */
static void reach(struct calls *calls, unsigned step)
{
	unsigned until = step ? calls->until[step - 1] : 0;

	calls->shown[step] = (uint16_t)(step ? calls->shown[step - 1] + (calls->steps[step].serial != 0) : 0);
	while (calls->shown[step] - calls->shown[until] > (int)options.frames)
		until++;
	calls->until[step] = (uint16_t)until;
}

/* The same frame has gone on, or something outside it has. */
static void renew(struct calls *calls, unsigned index)
{
	struct calls_step *step = &calls->steps[index];

	if (step->serial && layout_code(step->frame) == step->code) {
		step->at = layout_at(step->frame);
		step->node = node_of(calls, step, 0, step[-1].node);
	} else {
		fill(calls, step, step->frame);
		for (unsigned i = index; i <= calls->count; i++)
			reach(calls, i);
	}
}

static void push(struct calls *calls, uintptr_t frame)
{
	if (unlikely(calls->count == CALLS_ROOM)) {
		/* The outer half is forgotten but for its node: it is beyond what a report shows. */
		const unsigned half = CALLS_ROOM / 2;
		memmove(calls->steps, calls->steps + half, (CALLS_ROOM + 1 - half) * sizeof calls->steps[0]);
		calls->count -= half;
		for (unsigned i = 0; i <= calls->count; i++)
			reach(calls, i);
	}
	fill(calls, &calls->steps[++calls->count], frame);
	reach(calls, calls->count);
}

/* The step of @frame, at @top or below, within @reach; 0 if there is none. */
static unsigned find(const struct calls *calls, uintptr_t frame, unsigned top, unsigned reach)
{
	unsigned least = top > reach ? top - reach : 0;

	while (top > least && calls->steps[top].frame != frame)
		top--;
	return top > least ? top : 0;
}

__attribute__((noinline)) uint32_t calls_renew(struct calls *calls, unsigned stale)
{
	for (unsigned i = stale; i <= calls->count; i++)
		renew(calls, i);
	return calls->steps[calls->count].node;
}

/* Another code object may stand where one that has died stood, and a frame of it where its frame was. */
static void forget_dead(struct calls *calls)
{
	uint32_t deaths = codes_deaths();

	if (calls->deaths != deaths)
		calls->count = 0;
	calls->deaths = deaths;
}

__attribute__((noinline)) uint32_t calls_follow(struct calls *calls, uintptr_t frame)
{
	unsigned pending = 0, cursor, stale = 0, broken;

	forget_dead(calls);
	cursor = calls->count;
	while (frame && pending < CALLS_ROOM) {
		unsigned there = find(calls, frame, cursor, NEAR);
		/* The innermost two may be anywhere: others have returned. As a rule one has been called, or two
		 * have returned. */
		if (!there && pending == 0 && find(calls, layout_word(frame, layout.previous), cursor, 1) == 0)
			there = find(calls, frame, cursor, CALLS_ROOM);
		if (!there && pending == 1)
			there = find(calls, frame, cursor, CALLS_ROOM);
		if (there) {
			broken = calls_verify(calls, there, &stale);
			cursor = there;
			if (!broken)
				break;
			/* Up to the broken link the frames follow each other, outside it nothing is known. */
			cursor = broken - 1;
			for (; there > broken && pending < CALLS_ROOM - 1; there--)
				calls->pending[pending++] = calls->steps[there].frame;
			frame = calls->steps[there].frame;
			stale = 0;
		}
		calls->pending[pending++] = frame;
		frame = layout_word(frame, layout.previous);
	}
	if (!frame || pending == CALLS_ROOM) {
		cursor = stale = 0;
		calls->steps[0] = (struct calls_step){ .frame = frame, .node = TRACE_ROOT };
	}
	calls->count = cursor;
	for (unsigned i = stale; i && i <= cursor; i++)
		renew(calls, i);
	while (pending)
		push(calls, calls->pending[--pending]);
	return calls->steps[calls->count].node;
}

__attribute__((noinline)) uint32_t calls_leaf_new(struct calls *calls, uint32_t node, enum trace_kind kind)
{
	struct calls_leaves *leaves = &calls->leaves[node & (CALLS_LEAVES - 1)];
	unsigned which = kind - TRACE_PYTHON_MEMORY;
	uint32_t epoch = traces_epoch();

	if (calls->latest && calls->latest->under.node == node)
		leaves = &calls->latest->under;
	if (leaves->node != node || leaves->epoch != epoch)
		*leaves = (struct calls_leaves){ .node = node, .epoch = epoch };
	return leaves->leaf[which] = traces_leaf(node, kind);
}
