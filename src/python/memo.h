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
#define MEMO_SEEN_TAG 0xfcu  /* of a byte; the rest counts */
#define MEMO_SIGHTS 3u

/* native/trace.h's trace_here_proven (a sibling that this floor cannot include). @proof may be NULL. */
typedef uint32_t (*memo_native_fn)(uint32_t parent, const struct caller *caller, struct proof *proof);

/* What is asked of every allocation: 16 bytes, which the caches hold. */
struct memo_head {
	uint32_t check;                 /* memo_place's: of which allocation, and in which epochs, the leaves are */
	_Alignas(8) uint32_t leaf[2];   /* of Python's two kinds, 0 if not asked for yet */
};

/* What proves it. */
struct memo_entry {
	_Alignas(64) uint64_t at;  /* layout_at of the innermost frame */
	uint32_t parent;           /* the node of the frame that called it */
	uint32_t version;          /* proof_epoch then */
	struct proof proof;        /* of a caller at 0 where there is none */
	uint32_t under;            /* the node that was allocated from: the innermost frame's, or of native ones under it */
};

struct memo {
	struct memo_head heads[1u << MEMO_ENTRIES_LOG2];
	uint8_t seen[1u << MEMO_SEEN_LOG2];
	struct memo_entry entries[1u << MEMO_ENTRIES_LOG2];
};

static inline unsigned memo_kind(enum trace_kind kind) { return kind - TRACE_PYTHON_MEMORY; }
static inline enum trace_kind memo_kind_of(unsigned which) { return (enum trace_kind)(TRACE_PYTHON_MEMORY + which); }

static inline uint64_t memo_hash(uint64_t at, uint32_t parent, const struct caller *caller)
{
	return (at ^ caller->ip << 20 ^ caller->cfa << 36 ^ (uint64_t)parent << 40) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Where an entry stands, here or right beside it (memo_beside), and what tells its leaves from most others: those of
 * another allocation, or of another proof_epoch or traces_epoch. (Both only grow: their sum is the same only if both
 * are.) */
struct memo_place {
	uint32_t at, check;
};

static inline struct memo_place memo_place(uint64_t hash)
{
	uint32_t epochs = __atomic_load_n(&proof_epoch, __ATOMIC_RELAXED) + traces_epoch();

	return (struct memo_place){ hash >> (64 - MEMO_ENTRIES_LOG2), (uint32_t)(hash >> 21) + epochs };
}

static inline struct memo_place memo_beside(struct memo_place place)
{
	return (struct memo_place){ place.at ^ 1, place.check };
}

/* memo_seen - has such an allocation been asked about MEMO_SIGHTS times before, lately? Of a program's beginning most
 * never come again, and an entry costs more than it brings. A wrong answer costs nothing else. */
static inline bool memo_seen(struct memo *memo, uint64_t hash)
{
	uint8_t *seen = &memo->seen[hash >> (64 - MEMO_SEEN_LOG2)], tag = hash >> 32 & MEMO_SEEN_TAG;

	if ((*seen & MEMO_SEEN_TAG) == tag) {
		if (*seen - tag == MEMO_SIGHTS)
			return true;
		++*seen;
	} else if (*seen & ~MEMO_SEEN_TAG) {
		--*seen;
	} else {
		*seen = tag + 1;
	}
	return false;
}

/* memo_about - is @entry about this allocation? (@version says whether what it proves is still so.) memo_holds - are
 * the leaves at @place this allocation's, and of now? */
static inline __attribute__((always_inline))
bool memo_about(const struct memo_entry *entry, uint64_t at, uint32_t parent, const struct caller *caller)
{
	return likely(entry->at == at && entry->parent == parent) && proof_holds(&entry->proof, caller);
}

static inline __attribute__((always_inline))
bool memo_holds(const struct memo *memo, struct memo_place place, uint64_t at, uint32_t parent,
		const struct caller *caller)
{
	return likely(memo->heads[place.at].check == place.check) &&
	       memo_about(&memo->entries[place.at], at, parent, caller);
}

#endif
