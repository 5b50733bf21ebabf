/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/registrations.h"
#include <stddef.h>
#include "base/os.h"
#include "ledger/forks.h"
#include "ledger/index.h"
#include "ledger/internal.h"
#include "ledger/table.h"

/* The newest entry of each handle; older ones follow through same_handle. */
struct handle {
	uintptr_t handle;
	uint32_t newest;
};

static struct table entries = TABLE(struct registration);
static struct table handles = TABLE(struct handle);
static struct table closings = TABLE(struct closing);
static struct index handles_by_value;
static uint64_t dropped;
static uint32_t generation;
static uint32_t inherited_removals;  /* entries of an ancestor that went away in this process */

static bool same_handle(const void *key, uint32_t id)
{
	return ((const struct handle *)table_get(&handles, id))->handle == *(const uintptr_t *)key;
}

/* handle_of - the record of @value, made if @create. Under the lock. */
static struct handle *handle_of(uintptr_t value, bool create)
{
	uint32_t hash = index_hash(3, &value, sizeof(value));
	uint32_t id = index_find(&handles_by_value, hash, same_handle, &value);
	struct handle *room;

	if (id != INDEX_NONE)
		return table_get(&handles, id);
	if (!create)
		return NULL;
	room = table_next(&handles, &ledger_arena);
	if (!room || !index_reserve(&handles_by_value, &ledger_arena))
		return NULL;
	*room = (struct handle){ value, REGISTRATION_NONE };
	id = table_publish(&handles);
	index_put(&handles_by_value, hash, id);
	return room;
}

/* append - under the lock: entry first, then the count, then the chain of its handle. */
static struct registration *append(const struct registration *model, uint32_t thread, uint64_t time_ns)
{
	bool chained = model->kind == REGISTRATION_NATIVE && model->handle;
	struct handle *handle = chained ? handle_of(model->handle, true) : NULL;
	struct registration *entry;

	if (chained && !handle)
		return NULL;
	entry = table_next(&entries, &ledger_arena);
	if (!entry)
		return NULL;
	*entry = *model;
	entry->sequence = entries.count;
	entry->thread = thread;
	entry->generation = generation;
	entry->time_ns = time_ns;
	entry->same_handle = handle ? handle->newest : REGISTRATION_NONE;
	table_publish(&entries);
	if (handle)
		handle->newest = entry->sequence;
	return entry;
}

struct registration *registrations_add(const struct registration *model)
{
	uint32_t thread = (uint32_t)os_gettid();
	uint64_t time_ns = os_realtime_ns();
	struct registration *entry = NULL;

	if (lock_take(&ledger_lock)) {
		entry = append(model, thread, time_ns);
		lock_release(&ledger_lock);
	}
	if (!entry)
		__atomic_fetch_add(&dropped, 1, __ATOMIC_RELAXED);
	return entry;
}

uint32_t registrations_count(void)
{
	return table_count(&entries);
}

struct registration *registrations_get(uint32_t index)
{
	return table_get(&entries, index);
}

uint64_t registrations_dropped(void)
{
	return __atomic_load_n(&dropped, __ATOMIC_RELAXED);
}

uint32_t registrations_generation(void)
{
	return generation;
}

uint32_t registrations_own(void)
{
	uint32_t count = registrations_count(), own = __atomic_load_n(&inherited_removals, __ATOMIC_RELAXED);

	/* Entries of this process are the newest: stop at the first that was inherited. */
	for (uint32_t i = count; i-- > 0;) {
		const struct registration *entry = registrations_get(i);

		if (entry->generation != generation)
			break;
		own += !entry->standard && !entry->baseline;
	}
	return own;
}

void registrations_mark(void)
{
	uint32_t count = registrations_count();

	for (uint32_t i = count; i-- > 0;) {
		struct registration *entry = registrations_get(i);

		if (entry->baseline)
			break;
		entry->baseline = true;
	}
}

uint32_t registrations_finalize(uintptr_t value, bool in_handler)
{
	struct fork_counts now = forks_native();
	struct handle *handle;
	uint32_t flagged = 0;

	if (!value || !lock_take(&ledger_lock))
		return 0;
	handle = handle_of(value, false);
	/* Newest first: from the first flagged one on, all belong to earlier loads at the same address. */
	for (uint32_t i = handle ? handle->newest : REGISTRATION_NONE; i != REGISTRATION_NONE;) {
		struct registration *entry = table_get(&entries, i);

		if (entry->finalized)
			break;
		entry->until = now;
		entry->finalized_in_handler = in_handler;
		entry->finalized = true;
		flagged++;
		i = entry->same_handle;
	}
	lock_release(&ledger_lock);
	return flagged;
}

void registrations_remove(struct registration *entry, enum registration_removal why)
{
	if (entry->removed != REMOVED_NOT || why == REMOVED_NOT)
		return;
	entry->removed = why;
	if (entry->generation != generation)
		__atomic_fetch_add(&inherited_removals, 1, __ATOMIC_RELAXED);
}

void closings_add(const struct closing *model)
{
	struct closing *room;

	if (!lock_take(&ledger_lock))
		return;
	room = table_next(&closings, &ledger_arena);
	if (room) {
		*room = *model;
		room->thread = (uint32_t)os_gettid();
		room->time_ns = os_realtime_ns();
		room->generation = generation;
		table_publish(&closings);
	}
	lock_release(&ledger_lock);
}

uint32_t closings_count(void)
{
	return table_count(&closings);
}

const struct closing *closings_get(uint32_t index)
{
	return table_get(&closings, index);
}

void registrations_inherit(void)
{
	generation++;
	inherited_removals = 0;
}
