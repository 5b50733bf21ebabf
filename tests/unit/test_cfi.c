/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that native/cfi.c reads, against what libunwind makes of the same tables: one step from many addresses of
 * all functions in the libraries named, with a stack that has another word at every address. Then broken tables, cut
 * off and changed at random: any answer will do, but nothing outside is read (the sanitizers look on). test_cfi
 * [LIBRARY...]
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "native/cfi.h"
#include "native/cfi_read.h"

struct table {
	struct cfi_image image;
	const char *name;
	const struct {
		int32_t start, entry;
	} *entries;
	uint32_t count;
};

static struct table tables[64];
static unsigned table_count;

static int note_table(struct dl_phdr_info *info, size_t size, void *unused)
{
	struct table *table = &tables[table_count];

	(void)size, (void)unused;
	memset(table, 0, sizeof(*table));
	table->image.start = UINTPTR_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + header->p_vaddr;

		if (header->p_type == PT_GNU_EH_FRAME) {
			table->image.header = start;
		} else if (header->p_type == PT_LOAD) {
			table->image.start = start < table->image.start ? start : table->image.start;
			table->image.end = start + header->p_memsz > table->image.end ? start + header->p_memsz : table->image.end;
		}
	}
	if (!table->image.header || table_count + 1 == sizeof(tables) / sizeof(tables[0]))
		return 0;
	table->name = info->dlpi_name;
	table->count = *(const uint32_t *)(table->image.header + 8);
	table->entries = (const void *)(table->image.header + 12);
	table_count++;
	return 0;
}

/* The stack that all steps are made on: never read, only asked. */
#define SP UINT64_C(0x700000001000)
#define FP UINT64_C(0x700000005000)

static uint64_t word_at(uint64_t address)
{
	return (address * UINT64_C(0x9e3779b97f4a7c15) >> 20 | UINT64_C(1) << 40) & ~UINT64_C(7);
}

struct after {
	uint64_t ip, sp, fp;
	bool last;
};

static bool follow(struct rule rule, struct after *after)
{
	uint64_t cfa;

	*after = (struct after){ .last = rule.kind == RULE_END };
	switch (rule.kind) {
	case RULE_END:
		return true;
	case RULE_SP:
		cfa = SP + (uint64_t)(int64_t)rule.cfa;
		break;
	case RULE_FP:
		cfa = FP + (uint64_t)(int64_t)rule.cfa;
		break;
	case RULE_FP_LOAD:
		cfa = word_at(FP + (uint64_t)(int64_t)rule.cfa);
		break;
	default:
		return false;
	}
	after->sp = cfa;
	after->ip = word_at(cfa + 8 * (uint64_t)(int64_t)rule.ra_at);
	after->fp = rule.fp == RULE_FP_SAME ? FP : rule.fp == RULE_FP_LOST ? 0 :
		    word_at((rule.fp == RULE_FP_AT_CFA ? cfa : FP) + 8 * (uint64_t)(int64_t)rule.fp_at);
	return true;
}

static unsigned seed = 7;

static unsigned random_below(unsigned limit)
{
	seed = seed * 1664525u + 1013904223u;
	return limit ? (seed >> 8) % limit : 0;
}

#if defined(HAVE_LIBUNWIND) && defined(__x86_64__)
#include <libunwind.h>

#define TEXT(x) #x
#define QUOTED(x) TEXT(x)
#define SYMBOL(function) QUOTED(UNW_OBJ(function))

static __typeof__(&unw_create_addr_space) create_addr_space;
static __typeof__(&unw_init_remote) init_remote;
static __typeof__(&unw_step) step;
static __typeof__(&unw_get_reg) get_reg;
static int (*search)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *, unw_proc_info_t *, int, void *);

static const struct table *current;
static uint64_t place;

static int access_mem(unw_addr_space_t as, unw_word_t address, unw_word_t *value, int write, void *argument)
{
	(void)as, (void)write, (void)argument;
	if (address >= current->image.start && address + 8 <= current->image.end)
		memcpy(value, (const void *)address, 8);
	else
		*value = word_at(address);
	return 0;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t number, unw_word_t *value, int write, void *argument)
{
	(void)as, (void)write, (void)argument;
	*value = number == UNW_X86_64_RIP ? place : number == UNW_X86_64_RSP ? SP : number == UNW_X86_64_RBP ? FP : 0;
	return 0;
}

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *info, int need, void *argument)
{
	unw_dyn_info_t table = { .format = UNW_INFO_FORMAT_REMOTE_TABLE };

	table.start_ip = current->image.start;
	table.end_ip = current->image.end;
	table.u.rti.segbase = current->image.header;
	table.u.rti.table_data = (uintptr_t)current->entries;
	table.u.rti.table_len = current->count;
	return search(as, ip, &table, info, need, argument);
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *info, void *argument)
{
	(void)as, (void)info, (void)argument;
}

static int no_list(unw_addr_space_t as, unw_word_t *address, void *argument)
{
	(void)as, (void)address, (void)argument;
	return -UNW_ENOINFO;
}

static bool find(void *library, const char *name, void *pointer)
{
	void *found = dlsym(library, name);

	memcpy(pointer, &found, sizeof(found));
	return found;
}

static unsigned long compared, beyond;

static void compare(unw_addr_space_t space, struct rule rule)
{
	static unw_cursor_t cursor;
	struct after ours, truth = { 0, 0, 0, false };
	unw_word_t value;
	int result;

	if (!follow(rule, &ours)) {
		beyond++;
		return;
	}
	CHECK(init_remote(&cursor, space, NULL) == 0);
	result = step(&cursor);
	truth.last = result == 0;
	if (result > 0) {
		CHECK(get_reg(&cursor, UNW_REG_IP, &value) == 0);
		truth.ip = value;
		CHECK(get_reg(&cursor, UNW_REG_SP, &value) == 0);
		truth.sp = value;
		truth.fp = get_reg(&cursor, UNW_X86_64_RBP, &value) == 0 ? value : 0;
	}
	compared++;
	if (result < 0 || ours.ip != truth.ip || ours.sp != truth.sp || ours.fp != truth.fp || ours.last != truth.last) {
		fprintf(stderr, "%s+%lx: %d: ip %lx %lx, sp %lx %lx, fp %lx %lx, last %d %d\n", current->name,
			place - current->image.start, result, ours.ip, truth.ip, ours.sp, truth.sp, ours.fp, truth.fp,
			ours.last, truth.last);
		exit(1);
	}
}

static void rules_are_what_libunwind_says(void)
{
	static unw_accessors_t accessors = {
		.find_proc_info = find_proc_info, .put_unwind_info = put_unwind_info, .get_dyn_info_list_addr = no_list,
		.access_mem = access_mem, .access_reg = access_reg,
	};
	void *library = dlopen("libunwind-x86_64.so.8", RTLD_NOW);
	unw_addr_space_t space;

	if (!library || !find(library, SYMBOL(create_addr_space), &create_addr_space) ||
	    !find(library, SYMBOL(init_remote), &init_remote) || !find(library, SYMBOL(step), &step) ||
	    !find(library, SYMBOL(get_reg), &get_reg) || !find(library, SYMBOL(dwarf_search_unwind_table), &search)) {
		puts("no libunwind: nothing to compare with");
		return;
	}
	space = create_addr_space(&accessors, 0);
	for (unsigned t = 0; t < table_count; t++) {
		current = &tables[t];
		for (uint32_t i = 0; i < current->count; i++) {
			uintptr_t start = current->image.header + (uintptr_t)(intptr_t)current->entries[i].start, function, size;
			struct rule rule;

			CHECK(cfi_rule(&current->image, start, &rule, &function, &size) && function == start);
			for (unsigned n = 0; n < 6; n++) {
				place = start + (n ? random_below((unsigned)size) : 0);
				CHECK(cfi_rule(&current->image, place, &rule, &function, &size) && function == start);
				compare(space, rule);
			}
			CHECK(!cfi_rule(&current->image, start + size, &rule, &function, &size) || function != start);
		}
	}
	printf("%lu rules are libunwind's, %lu say more than a rule can\n", compared, beyond);
	CHECK(compared > 100 * beyond);
}
#else
static void rules_are_what_libunwind_says(void)
{
	puts("nothing to compare with");
}
#endif

/* A copy of one library's tables, bytes changed, bounds drawn close: whatever comes out, the reader stays inside. */
static void broken_tables_do_no_harm(void)
{
	const struct table *whole = &tables[0];
	struct cfi_image image;
	uintptr_t function, size, from = whole->image.header, to = whole->image.end;
	struct rule rule;
	char *copy;

	for (unsigned t = 0; t < table_count; t++)
		if (tables[t].count > 20 && tables[t].count < 5000)
			whole = &tables[t];
	from = whole->image.header;
	/* .eh_frame follows its header in the same segment; what else follows does not matter. */
	to = from + 12 + whole->count * 8 + whole->count * 24;
	to = to < whole->image.end ? to : whole->image.end;
	for (unsigned n = 0; n < 3000; n++) {
		size_t length = n % 3 ? to - from : 12 + random_below((unsigned)(to - from - 12));

		copy = malloc(length);
		CHECK(copy);
		memcpy(copy, (const void *)from, length);
		for (unsigned i = 0; i < n % 40; i++)
			copy[random_below((unsigned)length)] = (char)random_below(256);
		image = (struct cfi_image){ (uintptr_t)copy, (uintptr_t)copy, (uintptr_t)copy + length };
		for (unsigned i = 0; i < 20; i++) {
			uintptr_t pc = (uintptr_t)copy + (uintptr_t)(intptr_t)whole->entries[random_below(whole->count)].start;

			cfi_rule(&image, pc + random_below(100), &rule, &function, &size);
			cfi_entered(&image, pc);
		}
		free(copy);
	}
}

static void numbers_are_read_whole_or_not_at_all(void)
{
	static const uint8_t bytes[] = { 0xe5, 0x8e, 0x26, 0x7f, 0x80, 0x80 };
	struct cfi_reader reader = { bytes, bytes + sizeof(bytes), false };

	CHECK(cfi_uleb(&reader) == 624485 && cfi_sleb(&reader) == -1 && !reader.bad);
	CHECK(cfi_uleb(&reader) == 0 && reader.bad && reader.at == reader.end);
	CHECK(cfi_fixed(&reader, 4) == 0 && cfi_encoded(&reader, 0x1b) == (uintptr_t)reader.at);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!dlopen(argv[i], RTLD_NOW))
			printf("without %s\n", argv[i]);
	numbers_are_read_whole_or_not_at_all();
	dl_iterate_phdr(note_table, NULL);
	rules_are_what_libunwind_says();
	broken_tables_do_no_harm();
	return 0;
}
