/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots.h - the static data that fork handlers in C work with: libc keeps a handler's code alone, so what it keeps
 * alive hangs off such data. Told by the code of each handler and of the functions of its module that it calls
 * directly. Or the handler is a thunk, and its data is the closure behind that.
 */
#ifndef NATIVE_SLOTS_H
#define NATIVE_SLOTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "native/modules.h"
#include "native/roots.h"
#include "native/thunks.h"

struct slot {
	uintptr_t start;
	size_t size;
	struct thunk thunk;        /* of kind THUNK_CLOSURE: no static data, but this handler's closure */
	uint32_t module;           /* of a closure: its function's */
	const char *symbol;        /* NULL: no symbol table says what lies there, nor how much of it is one thing */
	bool exported;
	uint32_t *registrations;   /* sequences, ascending */
	uint32_t registration_count;
};

/* A function that belongs to a handler: itself or a direct callee (parts of them too), or what has made the
 * registration. */
enum slot_role { SLOT_HANDLER, SLOT_CALLEE, SLOT_REGISTERS };

struct slot_function {
	uintptr_t start;
	size_t size;
	enum slot_role role;
};

struct slots {
	struct slot *list;         /* ascending, without overlap */
	uint32_t count, room, closures;
	struct slot_function *functions;
	uint32_t function_count, function_room;
	const struct roots *roots;
	uint32_t unread;           /* handlers whose code was not understood */
	bool *unread_by;           /* [registrations] one of its handlers is among them */
	bool failed;               /* out of memory */
};

/* slots_find - of all native registrations that are there. Libc's own data is no slot. After decode_open; frozen copy.
 * Return: 0 or -ENOMEM. */
int slots_find(struct slots *slots, const struct roots *roots);

/* slots_alone - the only registration that works with @slot, or REGISTRATION_NONE: there are several, perhaps of the
 * same handlers. */
uint32_t slots_alone(const struct slot *slot);

/* slots_everybodys - is @module libc, its loader, or this library? */
bool slots_everybodys(const struct module *module);

/* slot_readers - who else works with @slot, itself or by calling what belongs to a handler: up to @most names of
 * functions, interned, into @names; a module's where a function has none. Return: how many there are, at least 1
 * where it cannot be known (with the name NULL). Reads the code of all modules if the slot is exported. */
uint32_t slot_readers(const struct slots *slots, const struct slot *slot, const char **names, uint32_t most);

#endif
