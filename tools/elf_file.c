/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* part - @count items of @size bytes at @offset, aligned for the structures read through it, or NULL. */
static const void *part(const struct elf_file *elf, uint64_t offset, uint64_t count, uint64_t size)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || offset > elf->size || bytes > elf->size - offset ||
	    offset % 8 != 0)
		return NULL;
	return elf->bytes + offset;
}

static const char *text_at(const struct elf_file *elf, uint64_t offset, uint64_t limit)
{
	if (offset >= elf->size || limit > elf->size - offset)
		return NULL;
	return memchr(elf->bytes + offset, '\0', limit) ? (const char *)elf->bytes + offset : NULL;
}

/* offset_of - where in the file @address lies, or UINT64_MAX; *@room: how much of the segment's file part follows. */
static uint64_t offset_of(const struct elf_file *elf, uint64_t address, uint64_t *room)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];
		uint64_t inside = address - segment->p_vaddr;

		if (segment->p_type != PT_LOAD || address < segment->p_vaddr || inside >= segment->p_filesz)
			continue;
		if (segment->p_offset > elf->size || inside >= elf->size - segment->p_offset)
			continue;
		*room = segment->p_filesz - inside;
		if (*room > elf->size - segment->p_offset - inside)
			*room = elf->size - segment->p_offset - inside;
		return segment->p_offset + inside;
	}
	return UINT64_MAX;
}

const void *elf_at(const struct elf_file *elf, uint64_t address, size_t size)
{
	uint64_t room, offset = offset_of(elf, address, &room);

	return offset != UINT64_MAX && size <= room ? elf->bytes + offset : NULL;
}

static void read_dynamic(struct elf_file *elf)
{
	uint64_t strings = 0, room;

	for (size_t i = 0; i < elf->segment_count; i++) {
		if (elf->segments[i].p_type == PT_DYNAMIC) {
			elf->dynamic_count = elf->segments[i].p_filesz / sizeof(*elf->dynamic);
			elf->dynamic = part(elf, elf->segments[i].p_offset, elf->dynamic_count, sizeof(*elf->dynamic));
		}
	}
	if (!elf->dynamic)
		elf->dynamic_count = 0;
	for (size_t i = 0; i < elf->dynamic_count; i++) {
		if (elf->dynamic[i].d_tag == DT_NULL) {
			elf->dynamic_count = i;
			break;
		}
		if (elf->dynamic[i].d_tag == DT_STRTAB)
			strings = elf->dynamic[i].d_un.d_ptr;
		if (elf->dynamic[i].d_tag == DT_STRSZ)
			elf->strings_size = elf->dynamic[i].d_un.d_val;
	}
	elf->strings = offset_of(elf, strings, &room);
	if (elf->strings == UINT64_MAX)
		elf->strings_size = 0;
	else if (elf->strings_size > room)
		elf->strings_size = room;
}

/* read_symbols - by the section table, which says how many there are; stripping leaves it in place. */
static void read_symbols(struct elf_file *elf)
{
	const Elf64_Shdr *sections = part(elf, elf->header->e_shoff, elf->header->e_shnum, sizeof(*sections));

	if (!sections || elf->header->e_shentsize != sizeof(*sections))
		return;
	for (size_t i = 0; i < elf->header->e_shnum; i++) {
		if (sections[i].sh_type != SHT_DYNSYM)
			continue;
		elf->symbol_count = sections[i].sh_size / sizeof(*elf->symbols);
		elf->symbols = part(elf, sections[i].sh_offset, elf->symbol_count, sizeof(*elf->symbols));
		if (!elf->symbols)
			elf->symbol_count = 0;
		return;
	}
}

int elf_open(struct elf_file *elf, const char *path)
{
	const unsigned char order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	struct stat info;
	const Elf64_Ehdr *header;
	void *bytes = MAP_FAILED;
	int fd, error;

	*elf = (struct elf_file){0};
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0)
		bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	error = errno;
	close(fd);
	if (bytes == MAP_FAILED)
		return S_ISREG(info.st_mode) && info.st_size > 0 ? -error : 0;
	elf->bytes = bytes;
	elf->size = (size_t)info.st_size;
	header = part(elf, 0, 1, sizeof(*header));
	if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != order || header->e_phentsize != sizeof(*elf->segments))
		return 0;
	elf->segments = part(elf, header->e_phoff, header->e_phnum, sizeof(*elf->segments));
	if (!elf->segments)
		return 0;
	elf->header = header;
	elf->segment_count = header->e_phnum;
	read_dynamic(elf);
	read_symbols(elf);
	return 0;
}

void elf_close(struct elf_file *elf)
{
	if (elf->bytes)
		munmap((void *)(uintptr_t)elf->bytes, elf->size);
	*elf = (struct elf_file){0};
}

const char *elf_interpreter(const struct elf_file *elf)
{
	for (size_t i = 0; i < elf->segment_count; i++)
		if (elf->segments[i].p_type == PT_INTERP)
			return text_at(elf, elf->segments[i].p_offset, elf->segments[i].p_filesz);
	return NULL;
}

static const char *string_at(const struct elf_file *elf, uint64_t offset)
{
	if (offset >= elf->strings_size)
		return NULL;
	return text_at(elf, elf->strings + offset, elf->strings_size - offset);
}

const char *elf_tag(const struct elf_file *elf, int64_t tag, size_t index)
{
	for (size_t i = 0; i < elf->dynamic_count; i++)
		if (elf->dynamic[i].d_tag == tag && index-- == 0)
			return string_at(elf, elf->dynamic[i].d_un.d_val);
	return NULL;
}

const char *elf_needs(const struct elf_file *elf, const char *prefix)
{
	const char *name;

	for (size_t i = 0; (name = elf_tag(elf, DT_NEEDED, i)); i++)
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			return name;
	return NULL;
}

const Elf64_Sym *elf_symbol(const struct elf_file *elf, const char *name)
{
	for (size_t i = 0; i < elf->symbol_count; i++) {
		const Elf64_Sym *symbol = &elf->symbols[i];
		const char *text = symbol->st_shndx == SHN_UNDEF ? NULL : string_at(elf, symbol->st_name);

		if (text && strcmp(text, name) == 0)
			return symbol;
	}
	return NULL;
}

bool elf_build_id(const struct elf_file *elf)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];
		uint64_t at = segment->p_offset, end;

		if (segment->p_type != PT_NOTE || __builtin_add_overflow(at, segment->p_filesz, &end) || end > elf->size)
			continue;
		while (end - at >= sizeof(Elf64_Nhdr)) {
			Elf64_Nhdr note;
			uint64_t name = at + sizeof(note), size;

			memcpy(&note, elf->bytes + at, sizeof(note));
			size = ((uint64_t)note.n_namesz + 3) / 4 * 4 + ((uint64_t)note.n_descsz + 3) / 4 * 4;
			if (size > end - name)
				break;
			if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz > 0 &&
			    memcmp(elf->bytes + name, "GNU", 4) == 0)
				return true;
			at = name + size;
		}
	}
	return false;
}
