/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h - the rule (cfi.h) of each instruction address that stacks lead through, cached for all threads without a
 * lock. */
#ifndef NATIVE_RULES_H
#define NATIVE_RULES_H
#include <stdint.h>
#include <string.h>
#include "base/os.h"
#include "native/cfi.h"

/* Each pair of neighbours is one set. @tag holds the address and the epoch, mixed with the rule, so that a pair of
 * words that two threads wrote in part fits no question. */
struct rule_slot {
	uint64_t tag, rule;
};

struct rule_table {
	struct rule_slot *slots;
	unsigned shift;      /* 64 - log2 of sets */
	uint32_t most, used; /* what it may hold, what has been put in */
};

extern struct rule_table *rules_table __attribute__((visibility("hidden")));

/* Changes whenever an address may come to mean something else: caches that live elsewhere compare it. */
extern uint32_t rules_epoch __attribute__((visibility("hidden")));

/* rules_find - as rules_get, where the cache does not know: reads the module's own tables and remembers. About 1 us. */
struct rule rules_find(uintptr_t pc);

/* rules_get - the rule for @pc, which lies in the instruction itself (a return address - 1). Thread: any. Signal:
 * safe. No lock. rules_get_from - for many in a row: @table is rules_table. */
static inline struct rule rules_get_from(const struct rule_table *table, uintptr_t pc)
{
	uint64_t wanted = pc ^ (uint64_t)__atomic_load_n(&rules_epoch, __ATOMIC_RELAXED) << 48, tag, word;
	struct rule rule;

	if (likely(table != NULL)) {
		const struct rule_slot *set = &table->slots[pc * 0x9e3779b97f4a7c15 >> table->shift << 1];

		for (int way = 0; way < 2; way++) {
			word = __atomic_load_n(&set[way].rule, __ATOMIC_RELAXED);
			tag = __atomic_load_n(&set[way].tag, __ATOMIC_RELAXED);
			if (likely((tag ^ word * 0xd6e8feb86659fd93) == wanted)) {
				memcpy(&rule, &word, sizeof(rule));
				return rule;
			}
		}
	}
	return rules_find(pc);
}

static inline struct rule rules_get(uintptr_t pc)
{
	return rules_get_from(__atomic_load_n(&rules_table, __ATOMIC_ACQUIRE), pc);
}

/* Of the stop function's module, whose frames are the ones that are followed most. */
struct rules_inner {
	uintptr_t start, size;
};
extern struct rules_inner rules_inner __attribute__((visibility("hidden")));

/* rules_plain - how many words the frame of @pc has, where it is as nearly all of that module's are: found from the
 * stack pointer alone, with the return address right below its caller's. RULES_STOP: it is the stop function's. 0: it
 * is not so, or in no such module, or larger than that. @epoch: rules_epoch. Thread, signal: as rules_get.
 * Eight bytes for each address: how far into the module it lies, the epoch, the answer. */
#define RULES_PLAIN_LOG2 12u
#define RULES_STOP 0xffffu
extern uint64_t rules_plain_known[1u << RULES_PLAIN_LOG2] __attribute__((visibility("hidden")));
unsigned rules_plain_find(uintptr_t pc);

static inline uint64_t *rules_plain_slot(uint64_t offset)
{
	return &rules_plain_known[offset * UINT64_C(0x9e3779b97f4a7c15) >> (64 - RULES_PLAIN_LOG2)];
}

static inline unsigned rules_plain(uintptr_t pc, uint32_t epoch)
{
	uint64_t offset = pc - rules_inner.start, known;

	if (unlikely(offset >= rules_inner.size))
		return 0;
	known = __atomic_load_n(rules_plain_slot(offset), __ATOMIC_RELAXED);
	if (likely(known >> 16 == (offset << 16 | (epoch & 0xffff))))
		return known & 0xffff;
	return rules_plain_find(pc);
}

/* rules_init - in the constructor, after modules_init. rules_forget - every address may have changed its meaning. */
void rules_init(void);
void rules_forget(void);

/* rules_stop_at - frames in the function at @function, its parts elsewhere included, have the rule's @stop set. Looks
 * through the function's code once. */
void rules_stop_at(uintptr_t function);

/* rules_child - in the child of a fork: what another thread was at is undone. */
void rules_child(void);

/* rules_function - the function that holds @pc, by .eh_frame: its start and size, and the image that says so. Thread,
 * signal: as rules_find. Return: false if none does. */
bool rules_function(uintptr_t pc, struct cfi_image *image, uintptr_t *function, uintptr_t *size);

#endif
