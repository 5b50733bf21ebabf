/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists are the truth; the ledger knows who and where. Both are in order, so one cursor for each list finds the
 * ledger entry of an item: pointers are compared, never followed, until the list has confirmed them.
 */
#include "python/lists.h"

#include <errno.h>
#include <stdlib.h>

#include "ledger/stacks.h"
#include "python/interpreters.h"

struct matcher {
	struct heap *heap;
	uint32_t *position;  /* [ledger entries at the start] index into heap->registrations + 1, or 0 */
	uint32_t entries, room;
};

static struct heap_registration *append(struct matcher *matcher, struct registration *record)
{
	struct heap *heap = matcher->heap;
	if (heap->registration_count == matcher->room) {
		uint32_t room = matcher->room ? 2 * matcher->room : 64;
		void *larger = realloc(heap->registrations, room * sizeof *heap->registrations);
		if (!larger)
			return NULL;
		heap->registrations = larger;
		matcher->room = room;
	}
	struct heap_registration *registration = &heap->registrations[heap->registration_count++];
	*registration = (struct heap_registration){.record = record};
	return registration;
}

static struct heap_registration *known(struct matcher *matcher, uint32_t entry)
{
	if (matcher->position[entry])
		return &matcher->heap->registrations[matcher->position[entry] - 1];
	struct heap_registration *registration = append(matcher, registrations_get(entry));
	if (registration)
		matcher->position[entry] = matcher->heap->registration_count;
	return registration;
}

static struct heap_registration *unknown(struct matcher *matcher, uint32_t interpreter, int phase, pyobject *callable)
{
	struct registration model = {
		.kind = REGISTRATION_PYTHON,
		.interpreter = interpreter,
		.handle_module = MODULE_NONE,
		.caller_module = MODULE_NONE,
		.stack = STACK_NONE,
		.native_stack = STACK_NONE,
	};
	for (int i = 0; i < PHASES; i++)
		model.code_module[i] = MODULE_NONE;
	model.callable[phase] = (uintptr_t)callable;
	struct registration *record = registrations_add(&model);
	if (!record)
		return NULL;
	record->thread = 0;
	record->time_ns = 0;
	return append(matcher, record);
}

static bool entry_has(uint32_t entry, uint32_t interpreter, int phase, pyobject *callable)
{
	const struct registration *record = registrations_get(entry);
	return record->kind == REGISTRATION_PYTHON && record->interpreter == interpreter &&
	       record->callable[phase] == (uintptr_t)callable;
}

static int match_list(struct matcher *matcher, uint32_t interpreter, int phase)
{
	pyobject *list = interpreters_get(interpreter)->lists[phase];
	uint32_t cursor = 0;
	for (intptr_t i = 0; list && i < py.PyList_Size(list); i++) {
		pyobject *callable = py.PyList_GetItem(list, i);
		uint32_t entry = cursor;
		while (entry < matcher->entries && !entry_has(entry, interpreter, phase, callable))
			entry++;
		bool found = entry < matcher->entries;
		struct heap_registration *registration = found ? known(matcher, entry)
							       : unknown(matcher, interpreter, phase, callable);
		if (!registration)
			return -ENOMEM;
		registration->callable[phase] = callable;
		if (found)
			cursor = entry + 1;
	}
	return 0;
}

/* Were all lists that @record went into looked at? */
static bool looked_for(const struct registration *record)
{
	for (int phase = 0; phase < PHASES; phase++)
		if (record->callable[phase] && !interpreters_get(record->interpreter)->lists[phase])
			return false;
	return true;
}

static void mark_removed(struct matcher *matcher)
{
	for (uint32_t i = 0; i < matcher->entries; i++) {
		struct registration *record = registrations_get(i);
		if (record->kind != REGISTRATION_PYTHON || matcher->position[i] ||
		    record->interpreter >= interpreters_count())
			continue;
		if (interpreters_get(record->interpreter)->ended)
			registrations_remove(record, REMOVED_INTERPRETER);
		else if (looked_for(record))
			registrations_remove(record, REMOVED_HOST);
	}
}

static int by_sequence(const void *left, const void *right)
{
	const struct heap_registration *a = left, *b = right;
	return (a->record->sequence > b->record->sequence) - (a->record->sequence < b->record->sequence);
}

int lists_match(struct heap *heap)
{
	struct matcher matcher = {.heap = heap, .entries = registrations_count()};
	matcher.position = calloc(matcher.entries + 1, sizeof *matcher.position);
	int result = matcher.position ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < interpreters_count() && result == 0; i++)
		for (int phase = 0; phase < PHASES && !interpreters_get(i)->ended && result == 0; phase++)
			result = match_list(&matcher, i, phase);
	if (result == 0) {
		mark_removed(&matcher);
		if (heap->registration_count)
			qsort(heap->registrations, heap->registration_count, sizeof *heap->registrations, by_sequence);
	}
	free(matcher.position);
	return result;
}
