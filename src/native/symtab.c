/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "native/symtab.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/os.h"

/* map_file - the whole file, read-only; libc's wrappers are not used, a host may have replaced them. */
static bool map_file(const char *path, struct symtab *symtab)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0, 0, 0);
	long size, memory = -1;

	if (fd < 0)
		return false;
	size = os_call(SYS_lseek, fd, 0, SEEK_END, 0, 0, 0);
	if (size > (long)sizeof(ElfW(Ehdr)))
		memory = os_call(SYS_mmap, 0, size, PROT_READ, MAP_PRIVATE, fd, 0);
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	if (memory < 0 && memory > -4096)
		return false;
	symtab->image = (void *)memory;
	symtab->image_size = (size_t)size;
	return true;
}

/* inside - the piece [offset, offset + size) of the file, or NULL if it is not all there. */
static const void *inside(const struct symtab *symtab, uint64_t offset, uint64_t size)
{
	if (offset > symtab->image_size || size > symtab->image_size - offset)
		return NULL;
	return (const char *)symtab->image + offset;
}

/* has_build_id - does the build-id stand in one of the file's note segments? */
static bool has_build_id(const struct symtab *symtab, const ElfW(Phdr) *headers, unsigned count,
			 const struct module *module)
{
	for (unsigned i = 0; i < count; i++) {
		const char *note = headers[i].p_type == PT_NOTE ?
				   inside(symtab, headers[i].p_offset, headers[i].p_filesz) : NULL;

		if (note && memmem(note, headers[i].p_filesz, module->build_id, module->build_id_size))
			return true;
	}
	return false;
}

/* same_image - is the file what was loaded? It may have been replaced since. */
static bool same_image(const struct module *module, const struct symtab *symtab)
{
	const ElfW(Ehdr) *head = symtab->image;
	const ElfW(Phdr) *headers = inside(symtab, head->e_phoff, (uint64_t)head->e_phnum * sizeof(*headers));

	if (!headers || head->e_phoff % _Alignof(ElfW(Phdr)))
		return false;
	if (module->build_id_size)
		return has_build_id(symtab, headers, head->e_phnum, module);
	return module->loaded && head->e_phnum == module->header_count &&
	       memcmp(headers, module->headers, head->e_phnum * sizeof(*headers)) == 0;
}

static bool find_table(struct symtab *symtab)
{
	const ElfW(Ehdr) *head = symtab->image;
	const ElfW(Shdr) *sections = inside(symtab, head->e_shoff, (uint64_t)head->e_shnum * sizeof(*sections));

	if (!sections || head->e_shentsize != sizeof(*sections) || head->e_shoff % _Alignof(ElfW(Shdr)))
		return false;
	for (unsigned i = 0; i < head->e_shnum; i++) {
		const ElfW(Shdr) *section = &sections[i], *texts;

		if (section->sh_type != SHT_SYMTAB || section->sh_link >= head->e_shnum ||
		    section->sh_offset % _Alignof(ElfW(Sym)))
			continue;
		texts = &sections[section->sh_link];
		symtab->symbols = inside(symtab, section->sh_offset, section->sh_size);
		symtab->count = section->sh_size / sizeof(ElfW(Sym));
		symtab->texts = inside(symtab, texts->sh_offset, texts->sh_size);
		symtab->texts_size = texts->sh_size;
		return symtab->symbols && symtab->texts && symtab->texts_size &&
		       symtab->texts[symtab->texts_size - 1] == '\0';
	}
	return false;
}

bool symtab_open(const struct module *module, struct symtab *symtab)
{
	const ElfW(Ehdr) *head;

	*symtab = (struct symtab){ 0 };
	if (module->path[0] != '/' || !map_file(module->path, symtab))
		return false;
	head = symtab->image;
	if (memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 && head->e_phentsize == sizeof(ElfW(Phdr)) &&
	    same_image(module, symtab) && find_table(symtab))
		return true;
	symtab_close(symtab);
	return false;
}

void symtab_close(struct symtab *symtab)
{
	os_unmap(symtab->image, symtab->image_size);
	symtab->image = NULL;
}
