/* SPDX-License-Identifier: Apache-2.0 */
#include "native/symbols.h"
#include <string.h>
#include "ledger/strings.h"
#include "native/elf.h"
#include "native/memory.h"
#include "native/modules.h"
#include "native/symtab.h"

/* A table of symbols and its texts, wherever they lie. */
struct symbols {
	const ElfW(Sym) *symbol;
	size_t count;
	const char *texts;
	size_t texts_size;
};

/* DT_GNU_HASH does not say how many symbols there are: the longest chain's end does. */
static size_t count_gnu_hash(const uint32_t *table)
{
	uint32_t buckets = table[0], first = table[1], words = table[2], last = 0;
	const uint32_t *bucket = (const uint32_t *)((const ElfW(Addr) *)(table + 4) + words);
	const uint32_t *chain = bucket + buckets;

	for (uint32_t i = 0; i < buckets; i++)
		if (bucket[i] > last)
			last = bucket[i];
	if (last < first)
		return first;
	while (!(chain[last - first] & 1))
		last++;
	return (size_t)last + 1;
}

static bool dynamic_symbols(const struct module *module, struct symbols *symbols)
{
	const uint32_t *hash = (const uint32_t *)elf_dynamic(module, DT_HASH);
	const uint32_t *gnu_hash = (const uint32_t *)elf_dynamic(module, DT_GNU_HASH);

	symbols->symbol = (const ElfW(Sym) *)elf_dynamic(module, DT_SYMTAB);
	symbols->texts = (const char *)elf_dynamic(module, DT_STRTAB);
	symbols->texts_size = elf_dynamic_value(module, DT_STRSZ);
	symbols->count = hash ? hash[1] : gnu_hash ? count_gnu_hash(gnu_hash) : 0;
	return symbols->symbol && symbols->texts && symbols->count;
}

static bool covers(const struct symbols *symbols, const ElfW(Sym) *symbol, uint64_t value)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->st_shndx != SHN_UNDEF &&
	       value >= symbol->st_value && value - symbol->st_value < symbol->st_size &&
	       symbol->st_name < symbols->texts_size;
}

/* better - of two functions that cover a place the innermost, and of several names for one extent the first global
 * one. */
static bool better(const struct symbol_question *question, const ElfW(Sym) *symbol)
{
	return !question->name || symbol->st_value > question->start ||
	       (symbol->st_value == question->start && question->bind == STB_LOCAL &&
		ELF64_ST_BIND(symbol->st_info) != STB_LOCAL);
}

static void take(const struct symbols *symbols, const ElfW(Sym) *symbol, struct symbol_question *question)
{
	question->start = symbol->st_value;
	question->bind = ELF64_ST_BIND(symbol->st_info);
	question->name = symbols->texts + symbol->st_name;
}

/* first_from - the index of the first question at @offset or behind it. */
static uint32_t first_from(const struct symbol_question *questions, uint32_t count, uint64_t offset)
{
	uint32_t low = 0;

	while (low < count) {
		uint32_t middle = low + (count - low) / 2;

		if (questions[middle].offset < offset)
			low = middle + 1;
		else
			count = middle;
	}
	return low;
}

/* answer - the questions that have no name yet; the names are interned. */
static void answer(const struct symbols *symbols, struct symbol_question *questions, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		questions[i].start = questions[i].name ? UINT64_MAX : 0;
	for (size_t i = 1; i < symbols->count; i++) {
		const ElfW(Sym) *symbol = &symbols->symbol[i];
		uint32_t at = symbol->st_size ? first_from(questions, count, symbol->st_value) : count;

		for (; at < count && covers(symbols, symbol, questions[at].offset); at++)
			if (better(&questions[at], symbol))
				take(symbols, symbol, &questions[at]);
	}
	for (uint32_t i = 0; i < count; i++)
		if (questions[i].start != UINT64_MAX)
			questions[i].name = strings_intern(questions[i].name);
}

static bool all_answered(const struct symbol_question *questions, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!questions[i].name)
			return false;
	return true;
}

static void ask(uint32_t id, struct symbol_question *questions, uint32_t count, bool file)
{
	const struct module *module = modules_get(id);
	struct symbols symbols;
	struct symtab symtab;

	for (uint32_t i = 0; i < count; i++)
		questions[i].name = NULL;
	/* A thread that unloads the module now would take the tables away: only what is on the caller's own stack, or
	 * handed over by its module as we look, is asked for outside the frozen copy. */
	if (module->loaded && memory_readable((uintptr_t)module->headers) && dynamic_symbols(module, &symbols))
		answer(&symbols, questions, count);
	if (file && !all_answered(questions, count) && symtab_open(module, &symtab)) {
		symbols = (struct symbols){ symtab.symbols, symtab.count, symtab.texts, symtab.texts_size };
		answer(&symbols, questions, count);
		symtab_close(&symtab);
	}
}

void modules_symbols_at(uint32_t module, struct symbol_question *questions, uint32_t count)
{
	ask(module, questions, count, true);
}

const char *modules_symbol_at(uint32_t module, uint64_t offset, bool file)
{
	struct symbol_question question = { .offset = offset };

	ask(module, &question, 1, file);
	return question.name;
}

const char *modules_symbol(uintptr_t address, bool file)
{
	uint32_t id = modules_find(address);

	return id == MODULE_NONE ? NULL : modules_symbol_at(id, address - modules_get(id)->bias, file);
}

static bool find_object(const struct symbols *symbols, uint64_t offset, struct symbol_object *object)
{
	bool found = false;

	for (size_t i = 1; i < symbols->count; i++) {
		const ElfW(Sym) *symbol = &symbols->symbol[i];

		if (ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT || symbol->st_shndx == SHN_UNDEF ||
		    offset - symbol->st_value >= symbol->st_size || symbol->st_name >= symbols->texts_size)
			continue;
		/* The widest, if there are several. */
		if (found && symbol->st_size <= object->size)
			continue;
		*object = (struct symbol_object){ symbol->st_value, symbol->st_size, symbols->texts + symbol->st_name };
		found = true;
	}
	if (found)
		object->name = strings_intern(object->name);
	return found;
}

bool modules_object_at(uint32_t id, uint64_t offset, struct symbol_object *object, bool *exported)
{
	const struct module *module = modules_get(id);
	struct symbols symbols;
	struct symtab symtab;
	bool found;

	*exported = module->loaded && memory_readable((uintptr_t)module->headers) &&
		    dynamic_symbols(module, &symbols) && find_object(&symbols, offset, object);
	if (*exported)
		return true;
	if (!symtab_open(module, &symtab))
		return false;
	symbols = (struct symbols){ symtab.symbols, symtab.count, symtab.texts, symtab.texts_size };
	found = find_object(&symbols, offset, object);
	symtab_close(&symtab);
	return found;
}
