/* SPDX-License-Identifier: Apache-2.0 */
#include "scopes.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "demangle.h"

/* keep - a text of a file's, which may be anything. */
static const char *keep(struct pool *pool, const char *text)
{
	return text ? clean_text(pool, pool_text(pool, text, strlen(text))) : NULL;
}

/* function_of - C++ functions by their linkage name, because the plain one has neither class nor namespace. */
static const char *function_of(struct pool *pool, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *linkage = NULL, *name;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
		linkage = dwarf_formstring(&attribute);
	if (linkage && (name = demangle(pool, linkage)) != linkage)
		return keep(pool, name);
	return keep(pool, dwarf_diename(die));
}

/* file_name - compilers write most names relative to the directory they ran in. */
static const char *file_name(struct pool *pool, Dwarf_Die *unit, const char *name)
{
	Dwarf_Attribute attribute;
	const char *directory;

	if (!name || name[0] == '/')
		return keep(pool, name);
	directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
	if (!directory)
		return keep(pool, name);
	if (strncmp(name, "./", 2) == 0)
		name += 2;
	return keep(pool, pool_print(pool, "%s/%s", directory, name));
}

/* unit_at - the compilation unit that has @address. Not every compiler writes the index that libdw asks first. */
static Dwarf_Die *unit_at(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *bias)
{
	Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);

	if (unit)
		return unit;
	while ((unit = dwfl_module_nextcu(module, unit, bias)) && dwarf_haspc(unit, address - *bias) <= 0)
		;
	return unit;
}

/* nest - the scopes around @address, innermost first, as the program has them. dwarf_getscopes alone goes on,
 * behind an inlined function, with where that was written. Return: their number; @scopes is the caller's to free. */
static int nest(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **scopes)
{
	Dwarf_Die innermost, split;
	uint8_t type;
	int count;

	/* With -gsplit-dwarf the functions are in a file of their own. */
	if (dwarf_cu_info(unit->cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 && type == DW_UT_skeleton &&
	    dwarf_tag(&split) != DW_TAG_invalid)
		unit = &split;
	count = dwarf_getscopes(unit, address, scopes);
	if (count <= 0)
		return 0;
	innermost = (*scopes)[0];
	free(*scopes);
	*scopes = NULL;
	count = dwarf_getscopes_die(&innermost, scopes);
	return count > 0 ? count : 0;
}

/* call_site - where the inlined function @die was called. */
static void call_site(struct pool *pool, Dwarf_Die *unit, Dwarf_Die *die, struct place *place)
{
	Dwarf_Attribute attribute;
	Dwarf_Word number;
	Dwarf_Files *files;
	Dwarf_Die own;
	size_t count;

	*place = (struct place){.line = UNKNOWN};
	if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &number) != 0 ||
	    !dwarf_diecu(die, &own, NULL, NULL) || dwarf_getsrcfiles(&own, &files, &count) != 0 || number >= count)
		return;
	place->file = file_name(pool, unit, dwarf_filesrc(files, number, NULL, NULL));
	if (dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attribute), &number) == 0 && number > 0 &&
	    number <= INT32_MAX)
		place->line = (int64_t)number;
}

/* line_of - the line of @address, if it belongs to @function as well: a linker that drops a function leaves its
 * lines behind, at addresses from 0 on, where they may overlap with others. */
static void line_of(struct pool *pool, Dwarf_Die *unit, Dwarf_Die *function, Dwarf_Addr address, struct place *place)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, address);
	Dwarf_Addr start;
	int number;

	*place = (struct place){.line = UNKNOWN};
	if (!line || dwarf_lineaddr(line, &start) != 0 || dwarf_haspc(function, start) <= 0)
		return;
	place->file = file_name(pool, unit, dwarf_linesrc(line, NULL, NULL));
	if (dwarf_lineno(line, &number) == 0 && number > 0)
		place->line = number;
}

/* outermost - which scope is the function that was really called, or -1. */
static int outermost(Dwarf_Die *scopes, int count)
{
	Dwarf_Addr start;

	for (int i = 0; i < count; i++) {
		if (dwarf_tag(&scopes[i]) != DW_TAG_subprogram)
			continue;
		/* No function of a linked module is at 0: one that the linker dropped. */
		return dwarf_lowpc(&scopes[i], &start) == 0 && start == 0 ? -1 : i;
	}
	return -1;
}

static size_t by_debug_information(struct pool *pool, Dwfl_Module *module, Dwarf_Addr address,
	struct place places[SCOPES_MOST])
{
	Dwarf_Addr bias = 0;
	Dwarf_Die *unit = unit_at(module, address, &bias), *scopes = NULL;
	int count = unit ? nest(unit, address - bias, &scopes) : 0, last = outermost(scopes, count);
	struct place here;
	size_t found = 0;

	if (last >= 0)
		line_of(pool, unit, &scopes[last], address - bias, &here);
	for (int i = 0; i <= last && found < SCOPES_MOST; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine)
			continue;
		here.function = function_of(pool, &scopes[i]);
		places[found++] = here;
		if (tag == DW_TAG_inlined_subroutine)
			call_site(pool, unit, &scopes[i], &here);
	}
	free(scopes);
	return found;
}

/* covering_symbol - a symbol that has no size, or whose size ends before @address, says nothing of what is there. */
static const char *covering_symbol(struct pool *pool, Dwfl_Module *module, Dwarf_Addr address)
{
	GElf_Off offset;
	GElf_Sym symbol;
	const char *name = dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);
	int type;

	if (!name || !*name || offset >= symbol.st_size)
		return NULL;
	type = GELF_ST_TYPE(symbol.st_info);
	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
		return NULL;
	return keep(pool, demangle(pool, name));
}

size_t scopes_at(struct pool *pool, Dwfl_Module *module, Dwarf_Addr address, struct place places[SCOPES_MOST])
{
	size_t count = by_debug_information(pool, module, address, places);
	const char *name;

	if (count > 0 && places[count - 1].function)
		return count;
	name = covering_symbol(pool, module, address);
	if (count == 0) {
		places[0] = (struct place){.line = UNKNOWN};
		count = name ? 1 : 0;
	}
	if (count > 0)
		places[count - 1].function = name;
	return count;
}
