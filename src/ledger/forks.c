/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/forks.h"
#include <stddef.h>

/* Atomic adds only: two threads may fork at once, and a handler may run in a signal handler's fork. */
static struct fork_counts native, python[FORKS_INTERPRETERS];

static void count(uint64_t *total)
{
	__atomic_fetch_add(total, 1, __ATOMIC_RELAXED);
}

static struct fork_counts *counts_of(uint32_t interpreter)
{
	return interpreter < FORKS_INTERPRETERS ? &python[interpreter] : NULL;
}

static struct fork_counts read_counts(const struct fork_counts *counts)
{
	return (struct fork_counts){
		__atomic_load_n(&counts->before, __ATOMIC_RELAXED),
		__atomic_load_n(&counts->parent, __ATOMIC_RELAXED),
		__atomic_load_n(&counts->child, __ATOMIC_RELAXED),
	};
}

void forks_before(uint32_t interpreter)
{
	struct fork_counts *counts = counts_of(interpreter);

	count(&native.before);
	if (counts)
		count(&counts->before);
}

void forks_parent(uint32_t interpreter)
{
	struct fork_counts *counts = counts_of(interpreter);

	count(&native.parent);
	if (counts)
		count(&counts->parent);
}

void forks_child(uint32_t interpreter)
{
	struct fork_counts *counts = counts_of(interpreter);

	count(&native.child);
	if (counts)
		count(&counts->child);
}

struct fork_counts forks_native(void)
{
	return read_counts(&native);
}

bool forks_python(uint32_t interpreter, struct fork_counts *counts)
{
	const struct fork_counts *known = counts_of(interpreter);

	if (!known)
		return false;
	*counts = read_counts(known);
	return true;
}

bool forks_of(const struct registration *entry, struct fork_counts *calls)
{
	struct fork_counts now = entry->removed == REMOVED_DLCLOSE ? entry->until : forks_native();

	if (entry->removed == REMOVED_HOST)
		return false;
	if (entry->kind == REGISTRATION_PYTHON && !forks_python(entry->interpreter, &now))
		return false;
	calls->before = now.before - entry->at.before;
	calls->parent = now.parent - entry->at.parent;
	calls->child = now.child - entry->at.child;
	return true;
}
