/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memo.h - what a thread's latest allocations have led to: from the innermost frame's instruction, what it was called
 * from and the native place that allocates, to the leaf of the call tree.
 */
#ifndef PYTHON_MEMO_H
#define PYTHON_MEMO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/caller.h"
#include "base/proof.h"
#include "ledger/traces.h"

#define MEMO_ENTRIES_LOG2 11u
#define MEMO_SEEN_LOG2 12u

/* native/trace.h's trace_here_proven (a sibling that this floor cannot include). @proof may be NULL. */
typedef uint32_t (*memo_native_fn)(uint32_t parent, const struct caller *caller, struct proof *proof);

struct memo_entry {
	_Alignas(64) uint64_t at;  /* layout_at of the innermost frame */
	uint32_t parent;           /* the node of the frame that called it */
	uint32_t stamp;            /* memo_stamp that all this holds in; 0: nothing does */
	uint32_t leaf[2];          /* of Python's two kinds, 0 if not asked for yet */
	struct proof proof;
	/* The innermost frame's node, the one that was allocated from (native frames may lie between), and proof_epoch
	 * then. */
	uint32_t node, under, version;
};

struct memo {
	struct memo_entry entries[1u << MEMO_ENTRIES_LOG2];
	uint8_t seen[1u << MEMO_SEEN_LOG2];
};

/* memo_stamp - changes with proof_epoch and traces_epoch. Both only grow: their sum is the same only if both are. */
static inline uint32_t memo_stamp(void) { return __atomic_load_n(&proof_epoch, __ATOMIC_RELAXED) + traces_epoch(); }

static inline unsigned memo_kind(enum trace_kind kind) { return kind - TRACE_PYTHON_MEMORY; }
static inline enum trace_kind memo_kind_of(unsigned which) { return (enum trace_kind)(TRACE_PYTHON_MEMORY + which); }

static inline uint64_t memo_hash(uint64_t at, uint32_t parent, const struct caller *caller)
{
	return (at ^ caller->ip << 20 ^ caller->cfa << 36 ^ (uint64_t)parent << 40) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline struct memo_entry *memo_at(struct memo *memo, uint64_t at, uint32_t parent, const struct caller *caller)
{
	return &memo->entries[memo_hash(at, parent, caller) >> (64 - MEMO_ENTRIES_LOG2)];
}

/* memo_seen - has such an allocation been asked about lately? Of a program's beginning most never come again, and an
 * entry costs more than it brings. A wrong answer costs nothing else. */
static inline bool memo_seen(struct memo *memo, uint64_t at, uint32_t parent, const struct caller *caller)
{
	uint64_t hash = memo_hash(at, parent, caller);
	uint8_t *seen = &memo->seen[hash >> (64 - MEMO_SEEN_LOG2)], tag = (uint8_t)(hash >> 8 | 1);
	bool was = *seen == tag;

	*seen = tag;
	return was;
}

/* memo_other - where what has been pushed out of @entry may be. */
static inline struct memo_entry *memo_other(struct memo *memo, const struct memo_entry *entry)
{
	return &memo->entries[(size_t)(entry - memo->entries) ^ 1];
}

/* memo_about - is @entry about this allocation? What it says holds if memo_stamp is its own (@version alone: all but
 * the leaves). */
static inline __attribute__((always_inline))
bool memo_about(const struct memo_entry *entry, uint64_t at, uint32_t parent, const struct caller *caller)
{
	return likely(entry->at == at && entry->parent == parent) && proof_holds(&entry->proof, caller);
}

#endif
