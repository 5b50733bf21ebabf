/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "native/modules.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include "base/arena.h"
#include "base/lock.h"
#include "base/os.h"
#include "ledger/strings.h"
#include "ledger/table.h"
#include "native/elf.h"
#include "native/loader.h"
#include "native/memory.h"

/*
 * Lock order: the loader's, then ours. The lock is taken inside the callback of dl_iterate_phdr, because a host's own
 * callback may register a handler and so come here with the loader's lock held. Under ours nothing is waited for.
 */
static struct lock lock;
static struct arena arena;

/* The loaded modules by address: what modules_find scans. A slot is emptied by its id, filled with the id last. */
struct place {
	uintptr_t start, end;
	uint32_t id;
};

static struct table modules = TABLE(struct module);
static struct table places = TABLE(struct place);

static uint64_t last_adds, last_subs;
static uint32_t pass, generation;
static uint32_t unloads, unloads_then; /* so far; at the last refresh that found what is true then */
static bool refreshed, forked, exiting, held;

/* A child made while a thread is in dl_iterate_phdr inherits the loader's lock for ever. So that none of ours is in
 * there, a fork stops them: new ones wait, those inside are waited for. */
#define FORK_PATIENCE_NS 50000000u
static uint32_t inside, stopped;
static const struct r_debug *debug;

/* What a loader says of one module, however it was asked. */
struct sighting {
	const char *name;
	uintptr_t bias;
	const ElfW(Phdr) *headers;
	unsigned header_count;
	uint64_t adds, subs;
};

static bool is_vdso(const struct sighting *seen)
{
	return seen->bias && seen->bias == getauxval(AT_SYSINFO_EHDR);
}

/* glibc gives the program no name, musl the one that it was executed by; and none to the vdso. */
static bool is_main(const struct sighting *seen)
{
	return (uintptr_t)seen->headers == getauxval(AT_PHDR) || ((!seen->name || !*seen->name) && !is_vdso(seen));
}

/* path_of - the name as an absolute path; the main program's own from the kernel. */
static const char *path_of(const struct sighting *seen)
{
	char path[4096];
	long size;

	if (is_main(seen)) {
		size = os_call(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)path, sizeof(path), 0, 0);
		return size > 0 ? strings_intern_n(path, (size_t)size) : strings_intern("");
	}
	if (!seen->name || !*seen->name)
		return strings_intern("linux-vdso.so.1");
	if (seen->name[0] == '/' || !strchr(seen->name, '/'))
		return strings_intern(seen->name);
	/* Relative to where the process is now, right after the load: later it may have moved. */
	size = os_call(SYS_getcwd, (long)path, sizeof(path), 0, 0, 0, 0);
	if (size <= 0 || path[0] != '/' || (size_t)size + strlen(seen->name) + 1 > sizeof(path))
		return strings_intern(seen->name);
	path[size - 1] = '/';
	strcpy(path + size, strncmp(seen->name, "./", 2) == 0 ? seen->name + 2 : seen->name);
	return strings_intern(path);
}

static struct place *free_place(void)
{
	struct place *place;

	for (uint32_t i = 0; i < places.count; i++) {
		place = table_get(&places, i);
		if (place->id == MODULE_NONE)
			return place;
	}
	place = table_next(&places, &arena);
	if (place) {
		place->id = MODULE_NONE;
		table_publish(&places);
	}
	return place;
}

/* add - under the lock, while the loader holds the module. */
static void add(const struct sighting *seen)
{
	struct module *module = table_next(&modules, &arena);
	struct place *place = free_place();
	const char *path = path_of(seen);
	struct range *ranges = arena_alloc(&arena, seen->header_count * sizeof(*ranges));

	if (!module || !place || !path || !ranges)
		return;
	*module = (struct module){
		.id = modules.count,
		.path = path,
		.bias = seen->bias,
		.headers = seen->headers,
		.header_count = seen->header_count,
		.loaded = true,
		.first = modules_unloads(),
		.pass = pass,
	};
	elf_read_headers(module);
	module->ranges = ranges;
	module->range_count = elf_ranges(module, ranges);
	table_publish(&modules);
	place->start = module->start;
	place->end = module->end;
	__atomic_store_n(&place->id, module->id, __ATOMIC_RELEASE);
}

static void drop(struct module *module, struct place *place)
{
	module->loaded = false;
	module->last = unloads_then;
	__atomic_store_n(&place->id, MODULE_NONE, __ATOMIC_RELEASE);
}

/* see - under the lock: known, known to be another load at the same place, or new. */
static void see(const struct sighting *seen)
{
	for (uint32_t i = 0; i < places.count; i++) {
		struct place *place = table_get(&places, i);
		struct module *module = place->id == MODULE_NONE ? NULL : table_get(&modules, place->id);

		if (!module || module->bias != seen->bias || module->headers != seen->headers)
			continue;
		if (module->closing && module->closing_adds != seen->adds && module->closing_subs != seen->subs) {
			drop(module, place);
			break;
		}
		module->pass = pass;
		return;
	}
	add(seen);
}

/* finish - under the lock, after a whole pass: what was not seen is gone. */
static void finish(void)
{
	for (uint32_t i = 0; i < places.count; i++) {
		struct place *place = table_get(&places, i);
		struct module *module = place->id == MODULE_NONE ? NULL : table_get(&modules, place->id);

		if (module && module->pass != pass)
			drop(module, place);
	}
	unloads_then = modules_unloads();
	__atomic_fetch_add(&generation, 1, __ATOMIC_RELEASE);
}

enum walk { WALK_START, WALK_LOCKED, WALK_NOTHING };

static int visit(struct dl_phdr_info *info, size_t size, void *argument)
{
	enum walk *walk = argument;
	struct sighting seen = { info->dlpi_name, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum, 0, 0 };
	bool counters = size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof(info->dlpi_subs);

	if (counters) {
		seen.adds = info->dlpi_adds;
		seen.subs = info->dlpi_subs;
	}
	if (*walk == WALK_START) {
		*walk = WALK_NOTHING;
		if (!lock_take(&lock))
			return 1;
		if (refreshed && counters && seen.adds == last_adds && seen.subs == last_subs) {
			unloads_then = modules_unloads();
			lock_release(&lock);
			return 1;
		}
		*walk = WALK_LOCKED;
		pass++;
		last_adds = seen.adds;
		last_subs = seen.subs;
	}
	see(&seen);
	return 0;
}

/* walk_link_map - in a fork's child, where another thread of the parent may have held the loader's lock for ever, and
 * where another thread holds it for long. A thread of the child may change the list meanwhile, so each entry is asked
 * for before it is read. */
static void walk_link_map(void)
{
	const struct link_map *map;
	unsigned limit = 100000;
	uint32_t before;

	if (!debug || debug->r_state != RT_CONSISTENT || !lock_take(&lock))
		return;
	pass++;
	last_adds++; /* a closed module that is seen again counts as another load */
	last_subs++;
	before = modules.count;
	for (map = debug->r_map; map && limit--; map = map->l_next) {
		struct sighting seen = { .adds = last_adds, .subs = last_subs };

		if (!memory_range_readable((uintptr_t)map, sizeof(*map)))
			break;
		seen.name = map->l_name;
		seen.bias = map->l_addr;
		if (elf_find_headers(map, &seen.headers, &seen.header_count))
			see(&seen);
	}
	finish();
	/* Something was loaded since the fork, which takes the loader's lock: it was not left behind. */
	if (modules.count != before)
		__atomic_store_n(&forked, false, __ATOMIC_RELEASE);
	lock_release(&lock);
}

static void go_in(void)
{
	for (;;) {
		__atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&stopped, __ATOMIC_SEQ_CST))
			return;
		__atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
		os_wake(&inside, false);
		os_wait(&stopped, 1, FORK_PATIENCE_NS, false);
	}
}

static void come_out(void)
{
	__atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&stopped, __ATOMIC_SEQ_CST))
		os_wake(&inside, false);
}

static void stop_others(void)
{
	uint64_t end = os_monotonic_ns() + FORK_PATIENCE_NS;
	uint32_t left;

	__atomic_fetch_add(&stopped, 1, __ATOMIC_SEQ_CST);
	/* One of them may wait for a lock that this very thread holds: patience has an end. */
	while ((left = __atomic_load_n(&inside, __ATOMIC_SEQ_CST)) && os_monotonic_ns() < end)
		os_wait(&inside, left, FORK_PATIENCE_NS, false);
}

static void let_others(void)
{
	__atomic_fetch_sub(&stopped, 1, __ATOMIC_SEQ_CST);
	os_wake(&stopped, false);
}

void modules_refresh(void)
{
	enum walk walk = WALK_START;

	/* Who has the loader's lock and stays does not change the list, or says that it is in the midst of it. */
	if (!modules_loader_free() || !loader_comes_free()) {
		walk_link_map();
		return;
	}
	go_in();
	dl_iterate_phdr(visit, &walk);
	if (walk == WALK_LOCKED) {
		finish();
		refreshed = true;
		lock_release(&lock);
	}
	come_out();
}

bool modules_loader_free(void)
{
	return !__atomic_load_n(&forked, __ATOMIC_ACQUIRE);
}

/* The loader's data is where its list of modules begins. */
static void learn_lock(void)
{
	uint32_t id = debug ? modules_find((uintptr_t)debug) : MODULE_NONE;
	const struct module *module = id == MODULE_NONE ? NULL : table_get(&modules, id);

	for (unsigned i = 0; module && i < module->header_count; i++) {
		const ElfW(Phdr) *header = &module->headers[i];

		if (header->p_type == PT_LOAD && header->p_flags & PF_W)
			loader_learn((const void *)(module->bias + header->p_vaddr), header->p_memsz);
	}
}

void modules_init(void)
{
	modules_refresh();
	for (uint32_t i = 0; i < modules_count(); i++) {
		struct module *module = table_get(&modules, i);

		module->startup = true;
		if (!debug)
			debug = elf_debug(module);
	}
	learn_lock();
}

static bool holds(const struct module *module, uintptr_t address)
{
	for (unsigned i = 0; i < module->range_count; i++)
		if (address >= module->ranges[i].start && address < module->ranges[i].end)
			return true;
	return false;
}

uint32_t modules_find(uintptr_t address)
{
	uint32_t count = table_count(&places);

	for (uint32_t i = 0; i < count; i++) {
		const struct place *place = table_get(&places, i);
		uint32_t id;

		if (address < place->start || address >= place->end)
			continue;
		id = __atomic_load_n(&place->id, __ATOMIC_ACQUIRE);
		/* The slot may just have changed hands, or something else lie in a hole of the module. */
		if (id != MODULE_NONE && holds(modules_get(id), address))
			return id;
	}
	return MODULE_NONE;
}

const struct module *modules_get(uint32_t id)
{
	return table_get(&modules, id);
}

uint32_t modules_count(void)
{
	return table_count(&modules);
}

uint32_t modules_generation(void)
{
	return __atomic_load_n(&generation, __ATOMIC_ACQUIRE);
}

uint32_t modules_finalize(uintptr_t handle)
{
	uint32_t id = modules_find(handle);
	struct module *module;

	if (id == MODULE_NONE)
		return id;
	module = table_get(&modules, id);
	if (module->startup) {
		exiting = true;
	} else if (!exiting) {
		module->closing_adds = last_adds;
		module->closing_subs = last_subs;
		module->closing = true;
	}
	return id;
}

uint32_t modules_unloads(void)
{
	return __atomic_load_n(&unloads, __ATOMIC_ACQUIRE);
}

void modules_unloaded(void)
{
	__atomic_fetch_add(&unloads, 1, __ATOMIC_ACQ_REL);
}

bool modules_exiting(void)
{
	return exiting;
}

void modules_prepare(void)
{
	stop_others();
	held = lock_take(&lock);
}

void modules_parent(void)
{
	if (held)
		lock_release(&lock);
	let_others();
}

void modules_child(void)
{
	lock_reset(&lock);
	inside = stopped = 0;
	__atomic_store_n(&forked, true, __ATOMIC_RELEASE);
}
