/* SPDX-License-Identifier: Apache-2.0 */
/* elf.h - what a mapped ELF image says of itself: headers, build-id, dynamic section. Reads the image in memory
 * only. */
#ifndef NATIVE_ELF_H
#define NATIVE_ELF_H
#include <stdbool.h>
#include <stdint.h>
#include <link.h>
#include "native/modules.h"

/* elf_read_headers - fill the range, dynamic section, build-id and nodelete of @module from its headers and bias. */
void elf_read_headers(struct module *module);

/* elf_ranges - what is mapped of @module, by its PT_LOADs: ascending, those that touch made one. @ranges: room for
 * header_count of them. Return: how many. */
unsigned elf_ranges(const struct module *module, struct range *ranges);

/* elf_find_headers - the program headers of the image that @map describes; false if there is no image to be read. */
bool elf_find_headers(const struct link_map *map, const ElfW(Phdr) **headers, unsigned *count);

/* elf_debug - the loader's list of modules, if @module is the one whose dynamic section points at it; else NULL. */
const struct r_debug *elf_debug(const struct module *module);

/* elf_dynamic - value of the first entry @tag, made an address where the loader has not done so; 0 if absent.
 * elf_dynamic_value - the same as a plain number. */
uintptr_t elf_dynamic(const struct module *module, ElfW(Sxword) tag);
uint64_t elf_dynamic_value(const struct module *module, ElfW(Sxword) tag);

/* elf_needed - the @index-th DT_NEEDED name, or NULL past the last. elf_soname - DT_SONAME or NULL. In the image. */
const char *elf_needed(const struct module *module, unsigned index);
const char *elf_soname(const struct module *module);

/* elf_imports - does the module refer to a symbol @name that it does not define? */
bool elf_imports(const struct module *module, const char *name);

#endif
