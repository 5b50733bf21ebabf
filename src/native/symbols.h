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

#endif
