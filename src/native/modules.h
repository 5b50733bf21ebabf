/* SPDX-License-Identifier: Apache-2.0 */
/* modules.h - what was ever mapped as ELF in this process: one entry a load, ids from 0, never reused. */
#ifndef NATIVE_MODULES_H
#define NATIVE_MODULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <link.h>

struct module {
	uint32_t id;
	const char *path;             /* interned; the executable's real path for the main program */
	uint8_t build_id[32];
	unsigned build_id_size;       /* 0: none */
	uintptr_t bias;               /* load bias: link-time address + bias = address */
	uintptr_t start, end;         /* [start, end) of its PT_LOADs */
	const ElfW(Phdr) *headers;    /* valid while loaded */
	unsigned header_count;
	const ElfW(Dyn) *dynamic;     /* valid while loaded */
	bool loaded;                  /* as of the last refresh */
};

/* modules_refresh - bring the table up to date with the loader (cheap when its adds/subs counters are unchanged).
 * Must not run in the malloc path. Thread: any; takes the loader's read lock except in a fork's child, where it walks
 * the link map instead (another thread may have held that lock for ever). Signal: not safe. */
void modules_refresh(void);

/* modules_find - id of the loaded module whose segments hold @address, as of the last refresh, or MODULE_NONE
 * (ledger/registrations.h). No lock, no allocation: fine in the frozen copy. */
uint32_t modules_find(uintptr_t address);
const struct module *modules_get(uint32_t id);
uint32_t modules_count(void);

/* modules_symbol - name of the function that holds @address, from the module's own symbol tables in memory (.dynsym)
 * and, in the frozen copy or where reading its file is allowed (@file true), from .symtab. Return: interned name, or
 * NULL; never a guess: the symbol's size must cover the address. */
const char *modules_symbol(uintptr_t address, bool file);

/* modules_child - in the child of a fork: from now on do not touch the loader's lock. */
void modules_child(void);

#endif
