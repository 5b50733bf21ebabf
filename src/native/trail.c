/* SPDX-License-Identifier: Apache-2.0 */
#include "native/trail.h"
#include <string.h>
#include <sys/auxv.h>
#include "base/arena.h"
#include "base/lock.h"
#include "native/threads.h"

static struct lock lock;
static struct arena arena;
static bool held;

#define BUCKETS 256u
static struct trail *buckets[BUCKETS]; /* by owner */
static struct trail *unowned;
static uintptr_t first_thread, first_top;

static struct trail **bucket(uintptr_t owner)
{
	return &buckets[(owner >> 12) % BUCKETS];
}

void trail_init(void)
{
	first_thread = threads_pointer();
	/* The kernel put these bytes above all frames of the first thread. */
	first_top = getauxval(AT_RANDOM) & ~(uintptr_t)15;
}

static struct trail *new_trail(void)
{
	struct trail *trail = arena_alloc(&arena, sizeof(*trail));

	if (!trail)
		return NULL;
	trail->steps = arena_alloc(&arena, TRAIL_FIRST * sizeof(*trail->steps));
	trail->checks = arena_alloc(&arena, TRAIL_FIRST * TRAIL_CHECKS * sizeof(*trail->checks));
	trail->room = TRAIL_FIRST;
	return trail->steps && trail->checks ? trail : NULL;
}

/* find - a thread at the place of another proves that the other is gone. */
static struct trail *find(uintptr_t self)
{
	struct trail *trail = *bucket(self);

	while (trail && trail->owner != self)
		trail = trail->next;
	if (trail)
		return trail;
	if ((trail = unowned))
		unowned = trail->next;
	else if (!(trail = new_trail()))
		return NULL;
	trail->owner = self;
	trail->next = *bucket(self);
	*bucket(self) = trail;
	return trail;
}

struct trail *trail_acquire(void)
{
	uintptr_t self = threads_pointer();
	struct trail *trail;

	if (!lock_take_unless(&lock, &held))
		return NULL;
	trail = find(self);
	lock_release(&lock);
	if (trail) {
		trail->busy = 0;
		trail_clear(trail);
		/* libc puts a thread's block at the upper end of its stack. */
		extent_init(&trail->extent, self == first_thread ? first_top : self & ~(uintptr_t)15);
	}
	return trail;
}

void trail_clear(struct trail *trail)
{
	trail->count = trail->made = trail->inside.count = 0;
	trail->inside.frames[0].sp = UINTPTR_MAX;
	trail_clear_twigs(trail);
}

void trail_clear_twigs(struct trail *trail)
{
	/* Of a new thread's nothing has been touched yet. */
	if (trail->ring_head) {
		memset(trail->tags, 0, sizeof(trail->tags));
		memset(trail->twigs, 0, sizeof(trail->twigs));
	}
	trail->ring_head = 0;
	trail->lately = 0;
}

bool trail_grow(struct trail *trail)
{
	unsigned room = trail->room * 2;
	size_t size = room * (sizeof(struct step) + TRAIL_CHECKS * sizeof(struct check));
	unsigned waiting = trail->room - trail->count;
	struct step *steps;
	struct check *checks;

	if (room > TRAIL_MOST || !(steps = os_map(size)))
		return false;
	checks = (struct check *)(steps + room);
	memcpy(steps, trail->steps, trail->count * sizeof(*steps));
	memcpy(steps + room - waiting, trail->steps + trail->count, waiting * sizeof(*steps));
	if (trail->count)
		memcpy(checks, trail->checks, trail->steps[trail->count - 1].checks * sizeof(*checks));
	if (trail->room > TRAIL_FIRST)
		os_unmap(trail->steps, size / 2);
	trail->steps = steps;
	trail->checks = checks;
	trail->room = room;
	return true;
}

void trail_prepare(void)
{
	__atomic_store_n(&held, lock_take(&lock), __ATOMIC_RELEASE);
}

void trail_parent(void)
{
	if (!held)
		return;
	__atomic_store_n(&held, false, __ATOMIC_RELEASE);
	lock_release(&lock);
}

void trail_child(const struct trail *own)
{
	held = false;
	lock_reset(&lock);
	for (unsigned i = 0; i < BUCKETS; i++) {
		struct trail *next, **link = &buckets[i];

		for (struct trail *trail = *link; trail; trail = next) {
			next = trail->next;
			if (trail == own) {
				link = &trail->next;
				continue;
			}
			*link = next;
			trail->owner = 0;
			trail->next = unowned;
			unowned = trail;
		}
	}
}
