/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "ledger/traces.h"
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "base/lock.h"
#include "base/os.h"

#define CHUNK_SHIFT 16u
#define CHUNK_NODES (1u << CHUNK_SHIFT)
#define CHUNKS ((TRACES_MOST >> CHUNK_SHIFT) + 1)
#define SLOTS_FIRST (1u << 12)
#define SLOTS_FEW (1u << 16)        /* below that they grow faster: a program that starts soon needs more */
#define KINDS 3u
#define EPOCHS 512u                 /* 8 of 100 ms, then each an eighth longer than all before: 512 are never reached */
#define EPOCH_LEAST_NS 100000000u

/* A leaf hangs under most nodes that have been allocated from, and is asked for at every allocation there: @leaf is
 * the latest. Leaves are not among the slots: a leaf's own @leaf is the one before it under the same node. */
struct node {
	uint64_t key;
	uint32_t parent;
	uint32_t leaf;
};

/*
 * A slot: five bits of hash above the id; 0 is free. Half full at most; nothing is ever removed. A child is put close
 * by its parent's id where there is room, else where its hash says: what is made one after the other lies together,
 * and the caches are warm, which for new stacks is most of the cost.
 */
struct slots {
	unsigned shift;   /* 64 - log2 of their number */
	uint32_t used;
	size_t size;      /* bytes of the mapping */
	uint32_t slot[] __attribute__((aligned(64)));
};
#define CLOSE 8u          /* slots there, half a cache line */
#define CLOSE_STRIDE 2u   /* and how many of them a parent adds */

/* Kept while @forking: libc takes locks of its own after the prepare handlers, and who has one of them may allocate. */
static struct lock lock;
static bool forking;
/* Of the thread that forks: a fork out of a signal handler that interrupted an insertion finds the lock its own. */
static __thread bool held __attribute__((tls_model("initial-exec")));

/* Nodes 1 to 3 are always there: the leaves of a stack that is not known, for when there is no memory for others. */
static struct node first[CHUNK_NODES];
static struct node *chunks[CHUNKS] = { first };
static uint32_t count = 1 + KINDS;
static struct slots *table;
static uint64_t lost;
static uint32_t puts;  /* changes when anything has been put: who did not find a node before then looks again */

static uint64_t epoch_start[EPOCHS];
uint32_t traces_epoch_now;

static inline struct node *node_at(uint32_t id)
{
	return &__atomic_load_n(&chunks[id >> CHUNK_SHIFT], __ATOMIC_RELAXED)[id & (CHUNK_NODES - 1)];
}

static inline uint64_t hash_of(uint32_t parent, uint64_t key)
{
	uint64_t mixed = (key ^ (uint64_t)parent * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xd6e8feb86659fd93);

	/* The upper bits choose the slot and must depend on all of the key; its own upper bits move no lower one. */
	return (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
}

static inline uint32_t tagged(uint64_t hash, uint32_t id)
{
	return (uint32_t)hash << 27 | id;
}

static inline uint32_t mask_of(const struct slots *slots)
{
	return (uint32_t)(UINT64_MAX >> slots->shift);
}

static inline uint32_t close_by(const struct slots *slots, uint32_t parent)
{
	return parent * CLOSE_STRIDE & mask_of(slots) & ~(CLOSE - 1);
}

static inline bool holds(uint32_t slot, uint64_t hash, uint32_t parent, uint64_t key)
{
	const struct node *node = node_at(slot & TRACES_MOST);

	return ((slot ^ tagged(hash, 0)) >> 27) == 0 && node->parent == parent && node->key == key;
}

/* TRACE_ROOT: none. */
static inline uint32_t find(uint64_t hash, uint32_t parent, uint64_t key)
{
	const struct slots *slots = __atomic_load_n(&table, __ATOMIC_ACQUIRE);
	uint32_t slot, first_close;

	if (unlikely(!slots))
		return TRACE_ROOT;
	first_close = close_by(slots, parent);
	for (uint32_t i = first_close; i < first_close + CLOSE; i++) {
		slot = __atomic_load_n(&slots->slot[i], __ATOMIC_ACQUIRE);
		if (!slot)
			return TRACE_ROOT; /* it would be here */
		if (holds(slot, hash, parent, key))
			return slot & TRACES_MOST;
	}
	for (uint32_t i = (uint32_t)(hash >> slots->shift);
	     (slot = __atomic_load_n(&slots->slot[i], __ATOMIC_ACQUIRE)); i = (i + 1) & mask_of(slots))
		if (holds(slot, hash, parent, key))
			return slot & TRACES_MOST;
	return TRACE_ROOT;
}

static void *map(size_t size)
{
	void *memory = os_map(size);

	if (memory)
		os_call(SYS_madvise, (long)memory, (long)size, MADV_DONTDUMP, 0, 0, 0);
	return memory;
}

static void put(struct slots *slots, uint32_t id, uint64_t hash)
{
	uint32_t i = close_by(slots, node_at(id)->parent), end = i + CLOSE;

	while (i < end && slots->slot[i])
		i++;
	if (i == end)
		for (i = (uint32_t)(hash >> slots->shift); slots->slot[i];)
			i = (i + 1) & mask_of(slots);
	__atomic_store_n(&slots->slot[i], tagged(hash, id), __ATOMIC_RELEASE);
	slots->used++;
	__atomic_store_n(&puts, puts + 1, __ATOMIC_RELEASE);
}

/* Room for one more slot. A reader may be in the old ones: they stay mapped, but as nothing but zeros, so that it
 * misses, comes for the lock and looks again. */
static bool reserve(void)
{
	struct slots *old = table, *grown;
	uint64_t number = old ? (UINT64_MAX >> old->shift) + 1 : SLOTS_FIRST / 4;
	size_t size;

	if (old && (uint64_t)old->used * 2 < number)
		return true;
	number *= number < SLOTS_FEW ? 4 : 2;
	size = offsetof(struct slots, slot) + number * sizeof(uint32_t);
	grown = map(size);
	if (!grown)
		return false;
	if (!old)
		os_own_add(first, sizeof(first));
	grown->size = size;
	grown->shift = (unsigned)__builtin_clzll(number) + 1;
	/* As they lie in memory, not as they lie in the old slots. */
	for (uint32_t id = 1 + KINDS; old && id < count; id++) {
		const struct node *node = node_at(id);
		if (trace_tag(node->key) != TRACE_LEAF)
			put(grown, id, hash_of(node->parent, node->key));
	}
	__atomic_store_n(&table, grown, __ATOMIC_RELEASE);
	if (old && old->size > 8192)
		os_call(SYS_madvise, (long)((char *)old + 4096), (long)(old->size - 4096), MADV_DONTNEED, 0, 0, 0);
	return true;
}

/* With the lock. The node is there when it is counted, and found when it is put where others look. Return: TRACE_ROOT
 * without memory. */
static uint32_t make(uint32_t parent, uint64_t key, uint32_t before)
{
	uint32_t id = count;
	struct node *node;

	if (id > TRACES_MOST)
		return TRACE_ROOT;
	if (!chunks[id >> CHUNK_SHIFT]) {
		struct node *chunk = map(sizeof(first));

		if (!chunk)
			return TRACE_ROOT;
		__atomic_store_n(&chunks[id >> CHUNK_SHIFT], chunk, __ATOMIC_RELEASE);
	}
	node = node_at(id);
	node->key = key;
	node->parent = parent;
	node->leaf = before;
	__atomic_store_n(&count, id + 1, __ATOMIC_RELEASE);
	return id;
}

static uint32_t insert(uint64_t hash, uint32_t parent, uint64_t key)
{
	uint32_t id = reserve() ? make(parent, key, TRACE_ROOT) : TRACE_ROOT;

	if (id != TRACE_ROOT)
		put(table, id, hash);
	return id;
}

static void lose(void)
{
	__atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
}

/* @seen: puts, before it was not found. */
static __attribute__((noinline)) uint32_t child_new(uint64_t hash, uint32_t parent, uint64_t key, uint32_t seen)
{
	uint32_t id = TRACE_ROOT;

	if (lock_take_unless(&lock, &forking)) {
		if (puts != seen)
			id = find(hash, parent, key);
		if (id == TRACE_ROOT)
			id = insert(hash, parent, key);
		lock_release(&lock);
	}
	if (id == TRACE_ROOT)
		lose();
	return id;
}

static inline uint32_t child(uint32_t parent, uint64_t key)
{
	uint64_t hash = hash_of(parent, key);
	uint32_t seen = __atomic_load_n(&puts, __ATOMIC_ACQUIRE), id = find(hash, parent, key);

	return likely(id != TRACE_ROOT) ? id : child_new(hash, parent, key, seen);
}

uint32_t traces_child(uint32_t parent, uint64_t key)
{
	uint32_t id = child(parent, key);

	return likely(id != TRACE_ROOT) ? id : parent;
}

/* The latest leaf of each kind is one of the last few. Two threads that did not agree on the epoch may make one twice:
 * both mean the same. */
static uint32_t find_leaf(uint32_t latest, uint64_t key)
{
	for (uint32_t leaf = latest, i = 0; leaf != TRACE_ROOT && i < KINDS; leaf = node_at(leaf)->leaf, i++)
		if (node_at(leaf)->key == key)
			return leaf;
	return TRACE_ROOT;
}

static __attribute__((noinline)) uint32_t leaf_new(uint32_t id, enum trace_kind kind, uint64_t key)
{
	struct node *node = node_at(id);
	uint32_t leaf = find_leaf(__atomic_load_n(&node->leaf, __ATOMIC_ACQUIRE), key);

	if (leaf != TRACE_ROOT)
		return leaf;
	if (lock_take_unless(&lock, &forking)) {
		leaf = find_leaf(node->leaf, key);
		if (leaf == TRACE_ROOT && (leaf = make(id, key, node->leaf)) != TRACE_ROOT)
			__atomic_store_n(&node->leaf, leaf, __ATOMIC_RELEASE);
		lock_release(&lock);
	}
	if (leaf == TRACE_ROOT) {
		lose();
		return 1 + kind;
	}
	return leaf;
}

uint32_t traces_leaf(uint32_t id, enum trace_kind kind)
{
	uint64_t key = trace_leaf(kind, traces_epoch());
	uint32_t leaf = __atomic_load_n(&node_at(id)->leaf, __ATOMIC_ACQUIRE);

	if (likely(leaf != TRACE_ROOT && node_at(leaf)->key == key))
		return leaf;
	return leaf_new(id, kind, key);
}

uint32_t traces_parent(uint32_t id)
{
	return node_at(id)->parent;
}

uint64_t traces_key(uint32_t id)
{
	return id - 1 < KINDS ? trace_leaf((enum trace_kind)(id - 1), 0) : node_at(id)->key;
}

uint32_t traces_count(void)
{
	return __atomic_load_n(&count, __ATOMIC_ACQUIRE);
}

uint64_t traces_lost(void)
{
	return __atomic_load_n(&lost, __ATOMIC_RELAXED);
}

uint64_t traces_epoch_ns(uint32_t number)
{
	return number < EPOCHS ? __atomic_load_n(&epoch_start[number], __ATOMIC_RELAXED) : 0;
}

void traces_tick(void)
{
	uint64_t now = os_monotonic_ns(), start = traces_epoch_ns(0), least, none = 0;
	uint32_t current = __atomic_load_n(&traces_epoch_now, __ATOMIC_ACQUIRE);

	if (!start) {
		__atomic_compare_exchange_n(&epoch_start[0], &none, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		return;
	}
	least = (now - start) / 8 > EPOCH_LEAST_NS ? (now - start) / 8 : EPOCH_LEAST_NS;
	if (current + 1 >= EPOCHS || (int64_t)(now - traces_epoch_ns(current)) < (int64_t)least)
		return;
	/* Two threads may both find it due: one of them writes down when, and only then it is the current one. */
	if (__atomic_compare_exchange_n(&epoch_start[current + 1], &none, now, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		__atomic_store_n(&traces_epoch_now, current + 1, __ATOMIC_RELEASE);
}

void traces_prepare(void)
{
	held = lock_take(&lock);
	if (held)
		__atomic_store_n(&forking, true, __ATOMIC_RELEASE);
}

void traces_parent_process(void)
{
	if (held) {
		__atomic_store_n(&forking, false, __ATOMIC_RELEASE);
		lock_release(&lock);
	}
	held = false;
}

void traces_child_process(void)
{
	held = forking = false;
	lock_reset(&lock);
}

void traces_thaw(void)
{
	lock_reset(&lock);
}
