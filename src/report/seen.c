/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "report/seen.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

/* More fingerprints than this in one process: the rest counts as seen once. */
#define ENTRIES 2048u

struct entry {
	char fingerprint[12];
	uint32_t count;
};

static _Atomic(struct entry *) entries;

void seen_prepare(void)
{
	if (atomic_load(&entries))
		return;
	int saved = errno;
	void *shared = mmap(NULL, ENTRIES * sizeof(struct entry), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	struct entry *none = NULL;
	if (shared != MAP_FAILED && !atomic_compare_exchange_strong(&entries, &none, shared))
		munmap(shared, ENTRIES * sizeof(struct entry));
	errno = saved;
}

void seen_child(void)
{
	/* The table stays mapped: an address is all that a child without snapshots pays for it. */
	atomic_store(&entries, NULL);
}

static struct entry *find(struct entry *table, const char *fingerprint)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		if (table[i].count == 0)
			memcpy(table[i].fingerprint, fingerprint, sizeof table[i].fingerprint);
		if (memcmp(table[i].fingerprint, fingerprint, sizeof table[i].fingerprint) == 0)
			return &table[i];
	}
	return NULL;
}

void seen_note(struct findings *findings)
{
	struct entry *table = atomic_load(&entries);
	for (uint32_t i = 0; i < findings->count; i++) {
		struct entry *entry = table ? find(table, findings->list[i].fingerprint) : NULL;
		findings->list[i].seen = entry ? ++entry->count : 1;
	}
}
