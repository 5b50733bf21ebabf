/* SPDX-License-Identifier: Apache-2.0 */
/* symbols.h - the name of the function at an address, from the symbol tables of the module that holds it. */
#ifndef NATIVE_SYMBOLS_H
#define NATIVE_SYMBOLS_H
#include <stdbool.h>
#include <stdint.h>

/* modules_symbol - name of the function that holds @address, from the module's own symbol tables in memory (.dynsym)
 * and, in the frozen copy or where reading its file is allowed (@file true), from .symtab. Return: interned name, or
 * NULL; never a guess: the symbol's size must cover the address. */
const char *modules_symbol(uintptr_t address, bool file);

/* modules_symbol_at - the same for a place in a module that may have been unloaded (then only its file can tell). */
const char *modules_symbol_at(uint32_t module, uint64_t offset, bool file);

/* Many places at once: one pass over the tables instead of one for each. */
struct symbol_question {
	uint64_t offset;
	uint32_t id;           /* the asker's */
	uint64_t start;        /* of the function found so far */
	unsigned bind;
	const char *name;      /* the answer, interned, or NULL */
};
/* modules_symbols_at - answer the @count @questions, ascending by offset, as modules_symbol_at would with @file
 * true. */
void modules_symbols_at(uint32_t module, struct symbol_question *questions, uint32_t count);

/* The data object that holds a place: its extent and name (interned). */
struct symbol_object {
	uint64_t start, size;
	const char *name;
};
/* modules_object_at - by the symbol tables in memory and in the file. @exported: other modules may refer to it by its
 * name. Return: false if no table says. Frozen copy. */
bool modules_object_at(uint32_t module, uint64_t offset, struct symbol_object *object, bool *exported);

#endif
