/* SPDX-License-Identifier: Apache-2.0 */
#include "python/codes.h"

#include <string.h>

#include "base/arena.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/proof.h"
#include "ledger/blocks.h"
#include "ledger/index.h"
#include "ledger/registrations.h"
#include "ledger/strings.h"
#include "ledger/table.h"
#include "ledger/traces.h"
#include "python/capi.h"
#include "python/layout.h"

#define WAYS 8u
#define SETS_FIRST 256u
#define SETS_MOST (1u << 17)

/* From a living code object's address to what is known of it. A set has eight places; one that is full makes the
 * whole grow, or forgets: then the code object is seen for the first time again, which costs a copy and is not
 * wrong. */
struct set {
	uintptr_t address[WAYS];   /* 0: free. Stored last, cleared first */
	struct code code[WAYS];
};

struct sets {
	uint32_t count;            /* a power of two */
	struct set set[];
};

struct names {
	const char *function, *file;
};

/* Held for stores only, never while anything else is called that could wait. */
static struct lock lock;
static struct arena arena;
static struct sets *known;
static struct table names = TABLE(struct names);
static struct index by_content;
static uint32_t serial, deaths;

void codes_child(void)
{
	lock_reset(&lock);
}

uint32_t codes_deaths(void)
{
	return __atomic_load_n(&deaths, __ATOMIC_RELAXED);
}

static struct set *set_of(struct sets *sets, uintptr_t address)
{
	uint64_t hash = (uint64_t)(address >> 4) * UINT64_C(0x9e3779b97f4a7c15);

	return &sets->set[hash >> 40 & (sets->count - 1)];
}

static bool find(uintptr_t address, struct code *code)
{
	struct sets *sets = __atomic_load_n(&known, __ATOMIC_ACQUIRE);
	struct set *set = sets ? set_of(sets, address) : NULL;

	for (unsigned i = 0; set && i < WAYS; i++) {
		if (__atomic_load_n(&set->address[i], __ATOMIC_ACQUIRE) == address) {
			*code = set->code[i];
			return true;
		}
	}
	return false;
}

static void place(struct set *set, unsigned way, uintptr_t address, struct code code)
{
	__atomic_store_n(&set->address[way], 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	set->code[way] = code;
	__atomic_store_n(&set->address[way], address, __ATOMIC_RELEASE);
}

/* With the lock: four times the places. */
static struct sets *grow(void)
{
	uint32_t count = known ? 4 * known->count : SETS_FIRST;
	struct sets *grown = count > SETS_MOST ? NULL : os_map(sizeof *grown + count * sizeof(struct set));

	if (!grown)
		return NULL;
	grown->count = count;
	for (uint32_t i = 0; known && i < known->count * WAYS; i++) {
		struct set *old = &known->set[i / WAYS], *set = set_of(grown, old->address[i % WAYS]);
		unsigned way = 0;
		while (way < WAYS && set->address[way])
			way++;
		if (old->address[i % WAYS] && way < WAYS)
			place(set, way, old->address[i % WAYS], old->code[i % WAYS]);
	}
	__atomic_store_n(&known, grown, __ATOMIC_RELEASE);
	return grown;
}

/* With the lock. */
static void remember(uintptr_t address, struct code code)
{
	struct sets *sets = known ? known : grow();

	for (unsigned tries = 0; sets; tries++) {
		struct set *set = set_of(sets, address);
		for (unsigned i = 0; i < WAYS; i++) {
			if (!set->address[i]) {
				place(set, i, address, code);
				return;
			}
		}
		struct sets *grown = tries == 0 ? grow() : NULL;
		if (!grown) {
			place(set, code.serial % WAYS, address, code);
			return;
		}
		sets = grown;
	}
}

void codes_dead(uintptr_t address)
{
	struct code code;

	if (!find(address, &code) || !lock_take(&lock))
		return;
	struct set *set = set_of(known, address);
	for (unsigned i = 0; i < WAYS; i++)
		if (set->address[i] == address)
			__atomic_store_n(&set->address[i], 0, __ATOMIC_RELAXED);
	lock_release(&lock);
	__atomic_fetch_add(&deaths, 1, __ATOMIC_RELEASE);
	proof_void();
}

static size_t put_utf8(char *to, uint32_t c)
{
	if (c >= 0xd800 && c < 0xe000)
		c = 0xfffd;  /* half of a pair: no text that others can read */
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const uint8_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	to[0] = (char)(lead[more] | c >> 6 * more);
	for (unsigned i = 1; i <= more; i++)
		to[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
	return more + 1;
}

/* PyUnicode_AsUTF8 would leave a copy in the host's object. */
static const char *text(pyobject *object, char *room)
{
	size_t used = 0;

	if (!object || !object_is(object, py.PyUnicode_Type))
		return NULL;
	intptr_t length = py.PyUnicode_GetLength(object);
	for (intptr_t i = 0; i < length && used + 4 < CODES_TEXT; i++)
		used += put_utf8(room + used, py.PyUnicode_ReadChar(object, i));
	return strings_intern_n(room, used);
}

/* The frames that the interpreter puts between a class and its __init__ run a code object of its own: one text for
 * all names, no line. */
static bool is_shim(uintptr_t code)
{
	return layout_word(code, layout.name) == layout_word(code, layout.filename) &&
	       *(const int *)(code + layout.first_line) == 0;
}

static bool same_names(const void *key, uint32_t id)
{
	const struct names *wanted = key, *there = table_get(&names, id);

	return wanted->function == there->function && wanted->file == there->file;
}

/* With the lock. Ids count from 1. */
static uint32_t intern(const struct names *wanted)
{
	uint32_t hash = index_hash(3, wanted, sizeof *wanted), id = index_find(&by_content, hash, same_names, wanted);
	struct names *room;

	if (id != INDEX_NONE)
		return id + 1;
	room = table_next(&names, &arena);
	if (!room || !index_reserve(&by_content, &arena))
		return 0;
	*room = *wanted;
	id = table_publish(&names);
	index_put(&by_content, hash, id);
	return id + 1;
}

struct code codes_see(uintptr_t address, char *room)
{
	struct code code = { 0, 0 };
	struct names wanted = { NULL, NULL };

	if (find(address, &code))
		return code;
	if (!is_shim(address)) {
		wanted.function = text((pyobject *)layout_word(address, layout.name), room);
		wanted.file = text((pyobject *)layout_word(address, layout.filename), room);
	}
	if (!lock_take(&lock))
		return code;
	code.serial = ++serial;
	if (wanted.function || wanted.file)
		code.id = intern(&wanted);
	remember(address, code);
	lock_release(&lock);
	/* Its block says so when it is freed; a block without a record is asked about anyway. */
	blocks_flag(address);
	return code;
}

struct frame codes_frame(uint64_t key)
{
	uint32_t id = (uint32_t)key;
	struct frame frame = { .python = true, .line = (int)(key >> 32 & 0x3fffffff), .module = MODULE_NONE };

	if (id > 0 && id <= table_count(&names)) {
		const struct names *found = table_get(&names, id - 1);
		frame.function = found->function;
		frame.file = found->file;
	}
	return frame;
}
