/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Up to 3.13 the collector keeps its objects in three rings, one a generation, whose heads lie one behind the other;
 * the pointer to the first follows them. What was tracked last is the last of the youngest: that is the way to the
 * heads, whatever lies before them in this version.
 */
#include "python/tracked.h"

#define GENERATIONS 3
#define FLAGS ((uintptr_t)3)  /* low bits of prev; in next they are set only while a collection sorts its objects */

/* PyGC_Head: right before each object. Aligned to 4 in itself: Debian's 3.13.5 has the heads at odd multiples of it. */
struct link {
	uintptr_t next, prev;
} __attribute__((packed, aligned(4)));

/* struct gc_generation. */
struct generation {
	struct link head;
	int threshold, count;
};

/* What follows the last one, where a pointer may stand. */
static const struct generation *youngest_of(const struct generation *generations)
{
	uintptr_t end = (uintptr_t)(generations + GENERATIONS), align = _Alignof(struct generation *);

	return *(const struct generation *const *)((end + align - 1) & ~(align - 1));
}

/* The next in the ring, or NULL where it does not lead back. */
static const struct link *next_of(const struct link *link)
{
	const struct link *next = (const struct link *)link->next;

	return next && !(link->next & FLAGS) && (next->prev & ~FLAGS) == (uintptr_t)link ? next : NULL;
}

static bool visit_ring(const struct link *head, const struct link *newest,
		       int (*visit)(pyobject *object, void *context), void *context, bool *enough)
{
	for (const struct link *link = next_of(head); link != head; link = next_of(link)) {
		if (!link)
			return false;
		if (link != newest && !visit((pyobject *)(link + 1), context)) {
			*enough = true;
			return true;
		}
	}
	return true;
}

bool tracked_visit(int (*visit)(pyobject *object, void *context), void *context)
{
	pyobject *newest = py.PyTuple_Pack(1, py._Py_NoneStruct);
	const struct link *link = (const struct link *)newest - 1, *first = newest ? next_of(link) : NULL;
	const struct generation *generations = (const struct generation *)first;
	bool good = first && youngest_of(generations) == generations, enough = false;

	for (unsigned i = 0; i < GENERATIONS && good && !enough; i++)
		good = visit_ring(&generations[i].head, link, visit, context, &enough);
	if (newest)
		py.Py_DecRef(newest);
	else
		py.PyErr_Clear();
	return good;
}
