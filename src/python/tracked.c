/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Up to 3.13 the collector keeps its objects in three rings, one a generation, whose heads lie one behind the other;
 * the pointer to the first follows them. What was tracked last is the last of the youngest: that is the way to the
 * heads, whatever lies before them in this version.
 */
#include "python/tracked.h"

#define GENERATIONS 3
#define FLAGS ((uintptr_t)3)  /* low bits of prev; in next they are set only while a collection sorts its objects */

/* PyGC_Head: right before each object. */
struct link {
	uintptr_t next, prev;
};

/* struct gc_generation, and what follows the last. */
struct generations {
	struct {
		struct link head;
		int threshold, count;
	} generation[GENERATIONS];
	const struct generations *youngest;
};

/* The next in the ring, or NULL where it does not lead back. */
static const struct link *next_of(const struct link *link)
{
	const struct link *next = (const struct link *)link->next;

	return next && !(link->next & 7) && (next->prev & ~FLAGS) == (uintptr_t)link ? next : NULL;
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
	const struct generations *generations = (const struct generations *)first;
	bool good = first && generations->youngest == generations, enough = false;

	for (unsigned i = 0; i < GENERATIONS && good && !enough; i++)
		good = visit_ring(&generations->generation[i].head, link, visit, context, &enough);
	if (newest)
		py.Py_DecRef(newest);
	else
		py.PyErr_Clear();
	return good;
}
