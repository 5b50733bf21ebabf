/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "native/rules.h"
#include <dlfcn.h>
#include <stddef.h>
#include "base/proof.h"
#include "native/memory.h"
#include "native/modules.h"
#include "native/parts.h"

/* What the program's addresses need: some hundreds for a small one, 30,000 for a compiler. */
#define FIRST_SETS_LOG2 8u
#define MOST_SETS_LOG2 16u

struct rule_table *rules_table;
uint32_t rules_epoch;

static uint32_t growing;
static uint32_t modules_then;  /* the module table's generation that "no such module" was said by */

/* glibc 2.35 and later: lock-free, as of now, and signal safe. The header of an older glibc lacks it. */
struct found_object {
	unsigned long long flags;
	void *start, *end;
	void *map;
	void *header; /* .eh_frame_hdr */
	unsigned long long reserved[8];
};
static int (*find_object)(void *pc, struct found_object *object);

/* Where stacks end: parts[0] is the function itself. */
static struct parts stop;
struct rules_inner rules_inner;
uint64_t rules_plain_known[1u << RULES_PLAIN_LOG2];

static bool image_of_object(uintptr_t pc, struct cfi_image *image)
{
	struct found_object object;

	if (!find_object || find_object((void *)pc, &object) != 0)
		return false;
	*image = (struct cfi_image){ (uintptr_t)object.header, (uintptr_t)object.start, (uintptr_t)object.end };
	return object.header != NULL;
}

/* image_of_module - by the last refresh. The headers may have gone with their module since. */
static bool image_of_module(uintptr_t pc, struct cfi_image *image)
{
	uint32_t id = modules_find(pc);
	const struct module *module = id == MODULE_NONE ? NULL : modules_get(id);

	if (!module || !memory_readable((uintptr_t)module->headers))
		return false;
	for (unsigned i = 0; i < module->header_count; i++) {
		const ElfW(Phdr) *header = &module->headers[i];

		if (header->p_type == PT_GNU_EH_FRAME) {
			*image = (struct cfi_image){ module->bias + header->p_vaddr, module->start, module->end };
			return memory_range_readable(image->header, 16);
		}
	}
	return false;
}

static bool image_of(uintptr_t pc, struct cfi_image *image)
{
	return find_object ? image_of_object(pc, image) : image_of_module(pc, image);
}

static struct rule_table *new_table(unsigned sets_log2)
{
	size_t slots = (size_t)2 << sets_log2;
	struct rule_table *table = os_map(sizeof(*table) + slots * sizeof(table->slots[0]));

	if (table) {
		table->slots = (struct rule_slot *)(table + 1);
		table->shift = 64 - sets_log2;
		table->most = (uint32_t)(slots - slots / 4);
	}
	return table;
}

#define MIXED UINT64_C(0xd6e8feb86659fd93)  /* as in rules_get */
#define ADDRESS UINT64_C(0xffffffffffff)

/* The older one of the set gives way. */
static void put(struct rule_table *table, uintptr_t pc, uint64_t word, uint64_t tag)
{
	struct rule_slot *set = &table->slots[pc * 0x9e3779b97f4a7c15 >> table->shift << 1];

	__atomic_store_n(&set[1].rule, __atomic_load_n(&set[0].rule, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
	__atomic_store_n(&set[1].tag, __atomic_load_n(&set[0].tag, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
	__atomic_store_n(&set[0].rule, word, __ATOMIC_RELAXED);
	__atomic_store_n(&set[0].tag, tag, __ATOMIC_RELAXED);
	/* About: it only decides when to grow. */
	__atomic_store_n(&table->used, __atomic_load_n(&table->used, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

/* What @old knows in the present epoch. A slot that another thread is writing has words of two rules: its address comes
 * out as chance has it, and its tag fits no question there either. */
static void carry_over(const struct rule_table *old, struct rule_table *table)
{
	uint64_t epoch = __atomic_load_n(&rules_epoch, __ATOMIC_ACQUIRE) & 0xffff;

	for (size_t i = (size_t)2 << (64 - old->shift); i-- > 0;) {
		uint64_t word = __atomic_load_n(&old->slots[i].rule, __ATOMIC_RELAXED);
		uint64_t tag = __atomic_load_n(&old->slots[i].tag, __ATOMIC_RELAXED);

		if (tag && (tag ^ word * MIXED) >> 48 == epoch)
			put(table, (tag ^ word * MIXED) & ADDRESS, word, tag);
	}
}

/* grow - another thread may be reading the old table, so that stays. */
static void grow(const struct rule_table *old)
{
	unsigned log2 = old ? 64 - old->shift : 0;
	struct rule_table *table;

	if (log2 >= MOST_SETS_LOG2 || __atomic_exchange_n(&growing, 1, __ATOMIC_ACQUIRE))
		return;
	if (__atomic_load_n(&rules_table, __ATOMIC_RELAXED) == old &&
	    (table = new_table(old ? log2 + 2 : FIRST_SETS_LOG2))) {
		if (old)
			carry_over(old, table);
		__atomic_store_n(&rules_table, table, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&growing, 0, __ATOMIC_RELEASE);
}

static void remember(uintptr_t pc, struct rule rule, uint32_t epoch)
{
	struct rule_table *table = __atomic_load_n(&rules_table, __ATOMIC_ACQUIRE);
	uint64_t word;

	if (!table || __atomic_load_n(&table->used, __ATOMIC_RELAXED) >= table->most)
		grow(table);
	table = __atomic_load_n(&rules_table, __ATOMIC_ACQUIRE);
	if (!table)
		return;
	memcpy(&word, &rule, sizeof(word));
	put(table, pc, word, pc ^ (uint64_t)epoch << 48 ^ word * MIXED);
}

__attribute__((noinline))
struct rule rules_find(uintptr_t pc)
{
	uint32_t epoch = __atomic_load_n(&rules_epoch, __ATOMIC_ACQUIRE), id;
	struct rule rule = { .kind = RULE_UNKNOWN };
	uintptr_t function, size;
	struct cfi_image image;

	/* Before glibc 2.35 what is loaded is learned at a refresh; what was said before it holds no more. */
	if (!find_object && __atomic_load_n(&modules_then, __ATOMIC_RELAXED) != modules_generation()) {
		__atomic_store_n(&modules_then, modules_generation(), __ATOMIC_RELAXED);
		rules_forget();
		epoch = __atomic_load_n(&rules_epoch, __ATOMIC_ACQUIRE);
	}
	/* In no module: a module may come to lie there, and nothing would tell. So that is not remembered. */
	if (!image_of(pc, &image))
		return rule;
	if (cfi_rule(&image, pc, &rule, &function, &size))
		rule.stop = parts_hold(&stop, function);
	rule.inner = pc - rules_inner.start < rules_inner.size;
	id = modules_find(pc);
	rule.fixed = id != MODULE_NONE && modules_get(id)->startup;
	remember(pc, rule, epoch);
	return rule;
}

static unsigned plain(struct rule rule)
{
	uint64_t words = (uint64_t)rule.cfa / sizeof(uintptr_t);

	if (rule.stop)
		return RULES_STOP;
	return rule.kind == RULE_SP && rule.ra_at == -1 && rule.cfa % sizeof(uintptr_t) == 0 && words < RULES_STOP ?
	       (unsigned)words : 0;
}

__attribute__((noinline)) unsigned rules_plain_find(uintptr_t pc)
{
	uint64_t epoch = __atomic_load_n(&rules_epoch, __ATOMIC_ACQUIRE), offset = pc - rules_inner.start;
	unsigned answer = plain(rules_get(pc));

	if (offset >> 32 == 0 && offset < rules_inner.size)
		__atomic_store_n(rules_plain_slot(offset), offset << 32 | (epoch & 0xffff) << 16 | answer, __ATOMIC_RELAXED);
	return answer;
}

void rules_init(void)
{
	void *found = dlsym(RTLD_DEFAULT, "_dl_find_object");

	if (!found)
		dlerror(); /* the host must not find our failure */
	memcpy(&find_object, &found, sizeof(found));
	os_own_add(rules_plain_known, sizeof(rules_plain_known));
	grow(NULL);
}

void rules_forget(void)
{
	struct rule_table *table = __atomic_load_n(&rules_table, __ATOMIC_ACQUIRE);

	proof_void();
	/* A tag has 16 bits of the epoch: before they begin anew, what was left from the last time goes. */
	if ((__atomic_add_fetch(&rules_epoch, 1, __ATOMIC_ACQ_REL) & 0xffff) != 0)
		return;
	for (size_t i = 0; table && i < (size_t)2 << (64 - table->shift); i++)
		__atomic_store_n(&table->slots[i].tag, 0, __ATOMIC_RELAXED);
	for (size_t i = 0; i < 1u << RULES_PLAIN_LOG2; i++)
		__atomic_store_n(&rules_plain_known[i], 0, __ATOMIC_RELAXED);
}

void rules_stop_at(uintptr_t function)
{
	struct cfi_image image;

	if (!image_of(function, &image) || !parts_find(&image, function, &stop))
		return;
	rules_inner = (struct rules_inner){ image.start, image.end - image.start };
	rules_forget();
}

void rules_child(void)
{
	growing = 0;
}

bool rules_function(uintptr_t pc, struct cfi_image *image, uintptr_t *function, uintptr_t *size)
{
	struct rule rule;

	return image_of(pc, image) && cfi_rule(image, pc, &rule, function, size);
}
