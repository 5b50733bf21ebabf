/* SPDX-License-Identifier: Apache-2.0 */
/* elf_file.h - what a 64-bit ELF file says of itself. Every access is bounded: the file may be anything. */
#ifndef TOOLS_ELF_FILE_H
#define TOOLS_ELF_FILE_H
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file {
	const unsigned char *bytes;     /* the mapped file */
	size_t size;
	const Elf64_Ehdr *header;       /* NULL: not ELF, or of another class or byte order */
	const Elf64_Phdr *segments;
	const Elf64_Dyn *dynamic;
	size_t segment_count, dynamic_count;
	const Elf64_Sym *symbols;       /* dynamic ones */
	size_t symbol_count;
	uint64_t strings, strings_size; /* offset in the file */
};

/* elf_open - map @path. Owner: caller, elf_close(). Return: 0 (look at @elf->header), or a negative errno. */
int elf_open(struct elf_file *elf, const char *path);
void elf_close(struct elf_file *elf);

/* elf_interpreter - the path in PT_INTERP, or NULL: statically linked, or a shared library. */
const char *elf_interpreter(const struct elf_file *elf);
/* elf_tag - the @index-th text of @tag (DT_NEEDED, DT_SONAME), or NULL. */
const char *elf_tag(const struct elf_file *elf, int64_t tag, size_t index);
/* elf_needs - the first needed library whose name begins with @prefix, or NULL. */
const char *elf_needs(const struct elf_file *elf, const char *prefix);
/* elf_symbol - the dynamic symbol @name that the file defines, or NULL. */
const Elf64_Sym *elf_symbol(const struct elf_file *elf, const char *name);
/* elf_at - @size bytes of the file that are loaded at @address, or NULL. */
const void *elf_at(const struct elf_file *elf, uint64_t address, size_t size);
/* elf_build_id - has it one? */
bool elf_build_id(const struct elf_file *elf);

#endif
