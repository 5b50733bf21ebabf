/* SPDX-License-Identifier: Apache-2.0 */
/* symtab.h - the full symbol table (.symtab) of a module, mapped from its file. For the frozen copy. */
#ifndef NATIVE_SYMTAB_H
#define NATIVE_SYMTAB_H
#include <stdbool.h>
#include <stddef.h>
#include "native/modules.h"

struct symtab {
	const ElfW(Sym) *symbols;
	size_t count;
	const char *texts;      /* ends with NUL */
	size_t texts_size;
	void *image;            /* the mapped file */
	size_t image_size;
};

/* symtab_open - false if the file cannot be opened, has no symbol table, or is not what was loaded (its build-id
 * differs, or where there is none and the module is still loaded, its program headers). Good for unloaded modules.
 * Opens a descriptor and closes it again. Owner: caller, symtab_close. */
bool symtab_open(const struct module *module, struct symtab *symtab);
void symtab_close(struct symtab *symtab);

#endif
