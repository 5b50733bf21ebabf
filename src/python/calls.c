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
		calls->innermost = CALLS_NONE;
		return calls_known = calls;
	}
	calls = os_map(sizeof *calls);
	if (!calls)
		return NULL;
	calls->thread = self;
	calls->innermost = CALLS_NONE;
	calls->next = __atomic_load_n(&all, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&all, &calls->next, calls, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return calls_known = calls;
}

struct known_place {
	uint32_t at;
	uint16_t tag;
};

static struct known_place known_place(uint32_t parent, uint64_t at)
{
	uint64_t hash = (at ^ (uint64_t)parent << 32) * UINT64_C(0x9e3779b97f4a7c15);

	return (struct known_place){ hash >> (64 - CALLS_NODES_LOG2), (uint16_t)(hash >> 32 | 1) };
}

/* NULL: nothing is. */
static const struct calls_known *known_at(const struct calls *calls, struct known_place place, uint32_t parent,
					  uint64_t at)
{
	const struct calls_known *known = &calls->nodes[place.at];

	return calls->node_tags[place.at] == place.tag && known->at == at && known->parent == parent ? known : NULL;
}

static void keep(struct calls *calls, struct known_place place, struct calls_known known)
{
	if (calls->node_tags[place.at] == place.tag)
		calls->nodes[place.at] = known;
	calls->node_tags[place.at] = place.tag;
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

/* The node of the step at @index, which has its code and serial. */
static uint32_t node_of(struct calls *calls, unsigned index)
{
	struct calls_step *step = &calls->steps[index];
	uint64_t at = calls->links[index].at;
	uint32_t parent = step[-1].node, node, line;
	struct known_place place = known_place(parent, at);
	const struct calls_known *known = known_at(calls, place, parent, at);

	if (known && known->serial == step->serial)
		return known->node;
	if (!step->id)
		step->id = codes_see(step->code, calls->text).id;
	line = line_of(calls, step->code, step->serial, layout_offset(step->code, at));
	node = traces_child(parent, trace_python(step->id, line));
	if (node != parent)
		keep(calls, place,
		     (struct calls_known){ at, step->code, parent, step->serial, node, calls->deaths, step->id });
	return node;
}

/* What stands for its instruction where it has no node: the next look at the frame tries again. */
#define NODE_LOST 0

static void name(struct calls *calls, unsigned index)
{
	struct calls_step *step = &calls->steps[index];

	step->node = node_of(calls, index);
	if (unlikely(step->node == step[-1].node))
		calls->links[index].at = NODE_LOST;
}

/* A step for the frame, under the step before it. What is known of an instruction holds as long as no code object dies:
 * then its code need not be looked up. */
static void fill(struct calls *calls, unsigned index, uintptr_t frame)
{
	struct calls_step *step = &calls->steps[index];
	uint64_t at = layout_at(frame);
	struct code code = { 0, 0 };

	calls->links[index] = (struct calls_link){ step[-1].frame, at };
	step->frame = frame;
	step->chunk = layout_in_chunk(calls->now, frame) ? calls->now : 0;
	step->serial = step->id = 0;
	step->node = step[-1].node;
	step->code = layout_runs(frame) ? layout_code(frame) : 0;
	if (!step->code)
		return;
	const struct calls_known *known = known_at(calls, known_place(step->node, at), step->node, at);
	if (likely(known && known->code == step->code && known->deaths == calls->deaths)) {
		step->serial = known->serial;
		step->id = known->id;
		step->node = known->node;
		return;
	}
	code = codes_see(step->code, calls->text);
	if (code.id) {
		step->serial = code.serial;
		step->id = code.id;
		name(calls, index);
	}
}

/* The step before it is right already. */
static void reach(struct calls *calls, unsigned index)
{
	struct calls_step *step = &calls->steps[index];

	if (index == 0) {
		step->shown = step->until = 0;
		step->run = 0;
		return;
	}
	step->shown = (uint16_t)(step[-1].shown + (step->serial != 0));
	step->until = step[-1].until;
	while (step->shown - calls->steps[step->until].shown > (int)options.frames)
		step->until++;
	step->run = step->chunk == step[-1].chunk ? step[-1].run + 1 : 1;
}

/* The same frame has gone on, or something outside it has. */
static void renew(struct calls *calls, unsigned index)
{
	struct calls_step *step = &calls->steps[index];
	struct calls_link *link = &calls->links[index];

	if (step->serial && layout_code(step->frame) == step->code) {
		link->at = layout_at(step->frame);
		name(calls, index);
	} else {
		fill(calls, index, step->frame);
		for (unsigned i = index; i <= calls->count; i++)
			reach(calls, i);
	}
}

static void push(struct calls *calls, uintptr_t frame)
{
	if (unlikely(calls->count == CALLS_ROOM)) {
		/* The outer half is forgotten but for its node: it is beyond what a report shows. */
		const unsigned half = CALLS_ROOM / 2;
		memmove(calls->links, calls->links + half, (CALLS_ROOM + 1 - half) * sizeof calls->links[0]);
		memmove(calls->steps, calls->steps + half, (CALLS_ROOM + 1 - half) * sizeof calls->steps[0]);
		calls->count -= half;
		for (unsigned i = 0; i <= calls->count; i++)
			reach(calls, i);
	}
	fill(calls, ++calls->count, frame);
	reach(calls, calls->count);
}

/* The step of @frame, at @top or below, within @reach; 0 if there is none. Frames in one chunk lie in the order of
 * their calls. */
static unsigned find(const struct calls *calls, uintptr_t frame, unsigned top, unsigned reach)
{
	unsigned least = top > reach ? top - reach : 0;
	bool in_chunk = layout_in_chunk(calls->now, frame);

	for (; top > least && calls->steps[top].frame != frame; top--)
		if (in_chunk && calls->steps[top].frame < frame && calls->steps[top].chunk == calls->now)
			return 0;
	return top > least ? top : 0;
}

/* Another code object may stand where one that has died stood, and a frame of it where its frame was. */
static void forget_dead(struct calls *calls)
{
	uint32_t deaths = codes_deaths();

	if (calls->deaths != deaths)
		calls->count = 0;
	calls->deaths = deaths;
}

/* Do all @left - 1 frames outside the step @from lie in the chunk where frames are made now? */
static bool in_chunk(const struct calls *calls, unsigned from, unsigned left)
{
	return calls->now && calls->steps[from - 1].chunk == calls->now && calls->steps[from - 1].run >= left - 1;
}

/* Is the chain from step @from outward what it was? Return: the step whose link leads elsewhere, or 0. *@stale: the
 * outermost step that has gone on, or 0. As far as a report shows. */
static unsigned verify(const struct calls *calls, unsigned from, unsigned *stale)
{
	unsigned until = calls->steps[from].until;

	*stale = 0;
	/* As a rule nothing but the first has gone on. */
	if (from > until && in_chunk(calls, from, from - until) &&
	    calls_same_chunk(&calls->links[from], calls->steps[from].frame, from - until)) {
		*stale = layout_at(calls->steps[from].frame) != calls->links[from].at ? from : 0;
		return 0;
	}
	for (unsigned i = from; i > until; i--) {
		uintptr_t frame = calls->steps[i].frame;

		if (unlikely(layout_word(frame, layout.previous) != calls->links[i].outer))
			return i;
		if (layout_at(frame) != calls->links[i].at)
			*stale = i;
	}
	return 0;
}

static void settle(struct calls *calls)
{
	unsigned count = calls->count;

	calls->innermost = count ? calls->steps[count].frame : CALLS_NONE;
	calls->parent = count ? calls->steps[count - 1].node : TRACE_ROOT;
	calls->shows = count - calls->steps[count].until;
	calls->top = &calls->links[count];
	calls->chunk = count && in_chunk(calls, count, calls->shows) ? calls->now : 0;
}

static void follow(struct calls *calls, uintptr_t frame)
{
	unsigned pending = 0, cursor, stale = 0, broken;

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
			broken = verify(calls, there, &stale);
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
}

uint32_t calls_node(struct calls *calls, uintptr_t thread, uintptr_t frame)
{
	unsigned stale;

	if (unlikely(!frame))
		return TRACE_ROOT;
	if (likely(calls->innermost == frame && calls->deaths == codes_deaths() && !layout.unit &&
		   calls->top->at == layout_at(frame) && calls_outside(calls, layout_chunk(thread))))
		return calls->steps[calls->count].node;
	forget_dead(calls);
	calls->now = layout_chunk(thread);
	if (!calls->count || calls->steps[calls->count].frame != frame || verify(calls, calls->count, &stale))
		follow(calls, frame);
	else
		for (unsigned i = stale; i && i <= calls->count; i++)
			renew(calls, i);
	settle(calls);
	return calls->steps[calls->count].node;
}

/* Is what stands at @place about an allocation from @caller in the innermost frame? */
static bool about(const struct calls *calls, struct memo_place place, const struct caller *caller)
{
	const struct memo_entry *entry = &calls->memo.entries[place.at];

	return entry->version == __atomic_load_n(&proof_epoch, __ATOMIC_ACQUIRE) &&
	       memo_about(entry, calls->links[calls->count].at, calls->parent, caller);
}

/* The stack that has just been looked up goes to @entry. */
static void learn(struct calls *calls, struct memo_entry *entry, const struct caller *caller, memo_native_fn native)
{
	uint32_t node = calls->steps[calls->count].node;
	uint64_t lost = traces_lost();

	entry->at = calls->links[calls->count].at;
	entry->parent = calls->parent;
	entry->version = __atomic_load_n(&proof_epoch, __ATOMIC_ACQUIRE);
	proof_begin(&entry->proof, caller, false);
	entry->under = native ? native(node, caller, &entry->proof) : node;
	/* A frame without a node of its own adds nothing, or it was lost. */
	if (entry->proof.count == PROOF_NONE || calls->steps[calls->count].serial == 0 || node == calls->parent ||
	    traces_lost() != lost)
		entry->proof.ip = 0;
}

/* What is known of an allocation from @caller in the innermost frame, or learned: then *@place says where. Return:
 * false if that was one of the first of its kind. */
static bool settled(struct calls *calls, struct memo_place *place, const struct caller *caller, memo_native_fn native)
{
	struct memo *memo = &calls->memo;
	uint64_t hash = memo_hash(calls->links[calls->count].at, calls->parent, caller);
	struct memo_place beside;

	if (!memo_seen(memo, hash))
		return false;
	*place = memo_place(hash);
	beside = memo_beside(*place);
	if (about(calls, *place, caller))
		return true;
	if (about(calls, beside, caller)) {
		*place = beside;
		return true;
	}
	/* The older one of the two goes. What stood here may have the same check: the same call, in other native ones. */
	memo->heads[beside.at] = memo->heads[place->at];
	memo->entries[beside.at] = memo->entries[place->at];
	memo->heads[place->at] = (struct memo_head){ .check = place->check };
	learn(calls, &memo->entries[place->at], caller, native);
	return true;
}

/* The leaf under @node. Many allocations come from where the last one came from. */
static uint32_t leaf_under(struct calls *calls, uint32_t node, unsigned which)
{
	struct calls_leaf *latest = &calls->latest[which];
	uint32_t epoch = traces_epoch(), leaf;

	if (latest->leaf && latest->node == node && latest->epoch == epoch)
		return latest->leaf;
	leaf = traces_leaf(node, memo_kind_of(which));
	if (likely(traces_parent(leaf) == node)) /* or lost */
		*latest = (struct calls_leaf){ node, epoch, leaf };
	return leaf;
}

__attribute__((noinline))
uint32_t calls_leaf_find(struct calls *calls, uintptr_t thread, uintptr_t frame, const struct caller *caller,
			 unsigned which, memo_native_fn native)
{
	uint32_t node = calls_node(calls, thread, frame), under, leaf;
	struct memo_place place;
	struct memo_head *head;

	if (unlikely(node == TRACE_ROOT || calls->count == 0) || !settled(calls, &place, caller, native))
		return leaf_under(calls, native ? native(node, caller, NULL) : node, which);
	head = &calls->memo.heads[place.at];
	under = calls->memo.entries[place.at].under;
	if (head->check != place.check)
		*head = (struct memo_head){ .check = place.check };
	if (!head->leaf[which]) {
		leaf = leaf_under(calls, under, which);
		if (unlikely(traces_parent(leaf) != under)) /* lost */
			return leaf;
		head->leaf[which] = leaf;
	}
	return head->leaf[which];
}
