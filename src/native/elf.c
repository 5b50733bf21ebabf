/* SPDX-License-Identifier: Apache-2.0 */
#include "native/elf.h"
#include <string.h>
#include "native/memory.h"

#ifndef NT_GNU_BUILD_ID
#define NT_GNU_BUILD_ID 3
#endif

static size_t rounded(size_t size, size_t align)
{
	return (size + align - 1) & ~(align - 1);
}

static void read_build_id(struct module *module, const ElfW(Phdr) *header)
{
	const char *note = (const char *)(module->bias + header->p_vaddr);
	size_t left = header->p_filesz, align = header->p_align == 8 ? 8 : 4;

	while (left >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *head = (const void *)note;
		size_t name = sizeof(*head), text = name + rounded(head->n_namesz, align);
		size_t size = text + rounded(head->n_descsz, align);

		if (size > left || head->n_namesz > left || head->n_descsz > left)
			return;
		if (head->n_type == NT_GNU_BUILD_ID && head->n_namesz == 4 && memcmp(note + name, "GNU", 4) == 0) {
			module->build_id_size = head->n_descsz < sizeof(module->build_id) ? head->n_descsz :
											     sizeof(module->build_id);
			memcpy(module->build_id, note + text, module->build_id_size);
			return;
		}
		note += size;
		left -= size;
	}
}

void elf_read_headers(struct module *module)
{
	uintptr_t page = MEMORY_PAGE - 1;

	module->start = UINTPTR_MAX;
	for (unsigned i = 0; i < module->header_count; i++) {
		const ElfW(Phdr) *header = &module->headers[i];
		uintptr_t start = module->bias + header->p_vaddr;

		if (header->p_type == PT_LOAD) {
			if ((start & ~page) < module->start)
				module->start = start & ~page;
			if (start + header->p_memsz > module->end)
				module->end = (start + header->p_memsz + page) & ~page;
		} else if (header->p_type == PT_DYNAMIC) {
			module->dynamic = (const void *)start;
		} else if (header->p_type == PT_NOTE && module->build_id_size == 0) {
			read_build_id(module, header);
		}
	}
	if (module->start == UINTPTR_MAX)
		module->start = 0;
	module->nodelete = elf_dynamic_value(module, DT_FLAGS_1) & DF_1_NODELETE;
}

unsigned elf_ranges(const struct module *module, struct range *ranges)
{
	uintptr_t page = MEMORY_PAGE - 1;
	unsigned count = 0;

	for (unsigned i = 0; i < module->header_count; i++) {
		const ElfW(Phdr) *header = &module->headers[i];
		uintptr_t start = module->bias + header->p_vaddr, end = (start + header->p_memsz + page) & ~page;

		if (header->p_type != PT_LOAD || header->p_memsz == 0)
			continue;
		start &= ~page;
		if (count && start <= ranges[count - 1].end)
			ranges[count - 1].end = end;
		else
			ranges[count++] = (struct range){ start, end };
	}
	return count;
}

bool elf_find_headers(const struct link_map *map, const ElfW(Phdr) **headers, unsigned *count)
{
	/* Images start with their header at the lowest address, which is the bias for whatever is position-independent;
	 * a program that is not has been in the table since the start, and is recognised by these same headers. */
	const ElfW(Ehdr) *image = (const void *)map->l_addr;

	if (map->l_addr == 0) {
		*headers = NULL;
		for (uint32_t i = 0; i < modules_count() && !*headers; i++) {
			const struct module *module = modules_get(i);

			if (module->startup && module->bias == 0 && module->dynamic == map->l_ld) {
				*headers = module->headers;
				*count = module->header_count;
			}
		}
		return *headers != NULL;
	}
	if (!memory_range_readable(map->l_addr, sizeof(*image)) || memcmp(image->e_ident, ELFMAG, SELFMAG) != 0 ||
	    image->e_phentsize != sizeof(ElfW(Phdr)))
		return false;
	*headers = (const void *)(map->l_addr + image->e_phoff);
	*count = image->e_phnum;
	return memory_range_readable((uintptr_t)*headers, *count * sizeof(**headers));
}

static const ElfW(Dyn) *entry(const struct module *module, ElfW(Sxword) tag)
{
	for (const ElfW(Dyn) *dyn = module->dynamic; dyn && dyn->d_tag != DT_NULL; dyn++)
		if (dyn->d_tag == tag)
			return dyn;
	return NULL;
}

uint64_t elf_dynamic_value(const struct module *module, ElfW(Sxword) tag)
{
	const ElfW(Dyn) *dyn = entry(module, tag);

	return dyn ? dyn->d_un.d_val : 0;
}

uintptr_t elf_dynamic(const struct module *module, ElfW(Sxword) tag)
{
	uintptr_t value = elf_dynamic_value(module, tag);

	/* glibc relocates the pointers of most modules in place; musl and the vdso leave link-time values. */
	return value && value < module->start ? value + module->bias : value;
}

const struct r_debug *elf_debug(const struct module *module)
{
	return (const void *)(uintptr_t)elf_dynamic_value(module, DT_DEBUG);
}

static const char *name_at(const struct module *module, uint64_t offset)
{
	const char *strings = (const char *)elf_dynamic(module, DT_STRTAB);

	return strings && offset < elf_dynamic_value(module, DT_STRSZ) ? strings + offset : NULL;
}

const char *elf_needed(const struct module *module, unsigned index)
{
	for (const ElfW(Dyn) *dyn = module->dynamic; dyn && dyn->d_tag != DT_NULL; dyn++)
		if (dyn->d_tag == DT_NEEDED && index-- == 0)
			return name_at(module, dyn->d_un.d_val);
	return NULL;
}

const char *elf_soname(const struct module *module)
{
	const ElfW(Dyn) *dyn = entry(module, DT_SONAME);

	return dyn ? name_at(module, dyn->d_un.d_val) : NULL;
}

bool elf_imports(const struct module *module, const char *name)
{
	const uint32_t *hash = (const uint32_t *)elf_dynamic(module, DT_HASH);
	const uint32_t *gnu_hash = (const uint32_t *)elf_dynamic(module, DT_GNU_HASH);
	const ElfW(Sym) *symbols = (const void *)elf_dynamic(module, DT_SYMTAB);
	/* The table that has DT_GNU_HASH starts with what is not hashed: the undefined symbols. */
	uint32_t count = gnu_hash ? gnu_hash[1] : hash ? hash[1] : 0;
	const char *text;

	for (uint32_t i = 1; symbols && i < count; i++)
		if (symbols[i].st_shndx == SHN_UNDEF && (text = name_at(module, symbols[i].st_name)) &&
		    strcmp(text, name) == 0)
			return true;
	return false;
}
