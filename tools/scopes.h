/* SPDX-License-Identifier: Apache-2.0 */
/* scopes.h - from an address in a module to functions and lines, by what elfutils' libdw reads. For symbolize.c
 * only. */
#ifndef TOOLS_SCOPES_H
#define TOOLS_SCOPES_H
#include <elfutils/libdwfl.h>
#include "model.h"

/* Functions inlined into one another at one address; deeper ones are left out at the outer end. */
#define SCOPES_MOST 64

/* scopes_at - which functions @address (of @module's session) lies in, the innermost inlined one first, the one
 * that was really called last, each with the place in it. By debug information where there is some, else by a
 * symbol whose size covers the address: then one function without a place. Texts are fit for a terminal. Owner:
 * pool. Return: how many; 0 where nothing is known for certain. */
size_t scopes_at(struct pool *pool, Dwfl_Module *module, Dwarf_Addr address, struct place places[SCOPES_MOST]);

#endif
