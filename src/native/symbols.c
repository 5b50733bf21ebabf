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

/* best - the innermost function whose extent covers @value; of several names for one extent the first global one. */
static const char *best(const struct symbols *symbols, uint64_t value)
{
	const ElfW(Sym) *found = NULL;

	for (size_t i = 1; i < symbols->count; i++) {
		const ElfW(Sym) *symbol = &symbols->symbol[i];
		unsigned type = ELF64_ST_TYPE(symbol->st_info);

		if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol->st_shndx == SHN_UNDEF ||
		    value < symbol->st_value || value - symbol->st_value >= symbol->st_size ||
		    symbol->st_name >= symbols->texts_size)
			continue;
		if (!found || symbol->st_value > found->st_value ||
		    (symbol->st_value == found->st_value && ELF64_ST_BIND(found->st_info) == STB_LOCAL &&
		     ELF64_ST_BIND(symbol->st_info) != STB_LOCAL))
			found = symbol;
	}
	return found ? strings_intern(symbols->texts + found->st_name) : NULL;
}

const char *modules_symbol_at(uint32_t id, uint64_t offset, bool file)
{
	const struct module *module = modules_get(id);
	struct symbols symbols;
	struct symtab symtab;
	const char *name = NULL;

	/* A thread that unloads the module now would take the tables away: only what is on the caller's own stack, or
	 * handed over by its module as we look, is asked for outside the frozen copy. */
	if (module->loaded && memory_readable((uintptr_t)module->headers) && dynamic_symbols(module, &symbols))
		name = best(&symbols, offset);
	if (!name && file && symtab_open(module, &symtab)) {
		symbols = (struct symbols){ symtab.symbols, symtab.count, symtab.texts, symtab.texts_size };
		name = best(&symbols, offset);
		symtab_close(&symtab);
	}
	return name;
}

const char *modules_symbol(uintptr_t address, bool file)
{
	uint32_t id = modules_find(address);

	return id == MODULE_NONE ? NULL : modules_symbol_at(id, address - modules_get(id)->bias, file);
}
