/* SPDX-License-Identifier: Apache-2.0 */
/* modules.h - what was ever mapped as ELF in this process: one entry a load, ids from 0, never reused. */
#ifndef NATIVE_MODULES_H
#define NATIVE_MODULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <link.h>
#include "ledger/registrations.h"

/* [start, end) of addresses, whole pages. */
struct range {
	uintptr_t start, end;
};

struct module {
	uint32_t id;
	const char *path;             /* interned; the executable's real path for the main program */
	uint8_t build_id[32];
	unsigned build_id_size;       /* 0: none */
	uintptr_t bias;               /* load bias: link-time address + bias = address */
	uintptr_t start, end;         /* [start, end) of its PT_LOADs, and of the holes between them */
	const struct range *ranges;   /* the same without the holes, where anybody may map something else */
	unsigned range_count;
	const ElfW(Phdr) *headers;    /* valid while loaded */
	unsigned header_count;
	const ElfW(Dyn) *dynamic;     /* valid while loaded */
	bool loaded;                  /* as of the last refresh */
	bool startup;                 /* there before main: dlclose cannot unload it */
	bool nodelete;                /* asks (DF_1_NODELETE) never to be unloaded */

	uint32_t first, last;         /* counts of unloads (modules_unloads) between which it was surely there */

	/* modules.c's own: the pass that saw it last; the loader's counters when its handle was finalised. */
	uint32_t pass;
	bool closing;
	uint64_t closing_adds, closing_subs;
};

/* modules_init - in the constructor or at the first registration before it: first refresh; what is there now is
 * "startup". Not inside a fork handler. */
void modules_init(void);

/* modules_refresh - bring the table up to date with the loader (cheap when its adds/subs counters are unchanged).
 * Must not run in the malloc path. Thread: any; takes the loader's lock; where another thread keeps that, or may have
 * kept it for ever (in a fork's child), it walks the link map instead. Signal: not safe. */
void modules_refresh(void);

/* modules_find - id of the loaded module that holds @address, as of the last refresh, or MODULE_NONE.
 * No lock, no allocation: fine in the frozen copy. */
uint32_t modules_find(uintptr_t address);
const struct module *modules_get(uint32_t id);
uint32_t modules_count(void);

/* modules_finalize - __cxa_finalize was called with @handle: if the loader both adds and removes something later, a
 * module at the same place is another load of it. Lock-free. Return: id of the module that holds the handle, or
 * MODULE_NONE. */
uint32_t modules_finalize(uintptr_t handle);

/* modules_unloads - how many unloads there have been: modules_unloaded, from __cxa_finalize once what runs in a
 * module at its end has run, counts one. Lock-free. */
uint32_t modules_unloads(void);
void modules_unloaded(void);

/* modules_exiting - a startup module was finalised: the process is on its way out, and what is finalised now is not
 * being unloaded. */
bool modules_exiting(void);

/* modules_generation - changes with every refresh that found a difference: caches of addresses compare it. */
uint32_t modules_generation(void);

/* modules_prepare, modules_parent - the table's part of the fork protocol; called by entry/atfork only. */
void modules_prepare(void);
void modules_parent(void);

/* modules_child - in the child of a fork: do not touch the loader's lock until it is known to be free. */
void modules_child(void);

/* modules_loader_free - false in a fork's child that has loaded nothing since: a thread of the parent may have held the
 * loader's lock, and dlopen or dl_iterate_phdr could wait for ever. Thread: any. Signal: safe. */
bool modules_loader_free(void);


#include "native/symbols.h"

#endif
