/* SPDX-License-Identifier: Apache-2.0 */
#include "native/handlers.h"
#include <string.h>
#include "base/libc.h"
#include "native/elf.h"
#include "native/memory.h"
#include "native/modules.h"
#include "native/names.h"

#define DEPTH 16u  /* of dependencies: a chain longer than this is taken for none */

void handlers_remove(void)
{
	uint32_t count = registrations_count();

	for (uint32_t i = 0; i < count; i++) {
		struct registration *entry = registrations_get(i);
		bool loaded;

		if (entry->kind != REGISTRATION_NATIVE || !entry->finalized || entry->removed != REMOVED_NOT)
			continue;
		loaded = entry->handle_module != MODULE_NONE && modules_get(entry->handle_module)->loaded;
		if (!loaded || !modules_exiting())
			registrations_remove(entry, REMOVED_DLCLOSE);
	}
}

void handlers_settle(void)
{
	handlers_remove();
	names_complete();
}

bool handler_dangling(const struct registration *entry)
{
	if (entry->kind != REGISTRATION_NATIVE || entry->removed != REMOVED_NOT)
		return false;
	for (int phase = 0; phase < PHASES; phase++) {
		uint32_t module = entry->code_module[phase];

		if (!entry->callable[phase])
			continue;
		if (module != MODULE_NONE ? !modules_get(module)->loaded :
					    modules_find(entry->callable[phase]) != MODULE_NONE ||
					    memory_unmapped(entry->callable[phase]))
			return true;
	}
	return false;
}

bool handler_foreign(const struct registration *entry)
{
	return entry->kind == REGISTRATION_NATIVE && entry->removed == REMOVED_NOT && entry->foreign;
}

bool handler_in_fork(const struct registration *entry)
{
	return entry->in_handler || (entry->finalized_in_handler && entry->removed == REMOVED_DLCLOSE);
}

bool closing_in_fork(const struct closing *closing)
{
	return closing->module != MODULE_NONE && !modules_get(closing->module)->loaded;
}

/* The loader's own record of the module that satisfied a name: by soname, or by the file's name. */
static uint32_t module_named(const char *name)
{
	for (uint32_t i = 0; i < modules_count(); i++) {
		const struct module *module = modules_get(i);
		const char *soname = module->loaded ? elf_soname(module) : NULL;
		const char *file = strrchr(module->path, '/');

		if (!module->loaded)
			continue;
		if ((soname && strcmp(soname, name) == 0) || strcmp(module->path, name) == 0 ||
		    (file && strcmp(file + 1, name) == 0))
			return i;
	}
	return MODULE_NONE;
}

static bool needs(uint32_t user, uint32_t needed, unsigned depth)
{
	const char *name;

	for (unsigned i = 0; (name = elf_needed(modules_get(user), i)); i++) {
		uint32_t module = module_named(name);

		if (module == needed)
			return true;
		/* What was there before main keeps nothing loaded that came later. */
		if (depth && module != MODULE_NONE && !modules_get(module)->startup && needs(module, needed, depth - 1))
			return true;
	}
	return false;
}

bool handler_handle_foreign(const struct registration *entry)
{
	for (int phase = 0; phase < PHASES && LIBC_UNLOADS; phase++) {
		uint32_t code = entry->code_module[phase];

		if (!entry->callable[phase] || code == MODULE_NONE || modules_get(code)->startup ||
		    modules_get(code)->nodelete)
			continue;
		if (entry->compat || entry->handle_module == MODULE_NONE)
			return true;
		if (entry->handle_module != code && !needs(entry->handle_module, code, DEPTH))
			return true;
	}
	return false;
}
