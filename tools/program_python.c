/* SPDX-License-Identifier: Apache-2.0 */
#include "program_python.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "libpython3."

/* shared_python - from the name of a needed library: libpython3.11.so.1.0, libpython3.13t.so.1.0. */
static void shared_python(struct program *program, const char *name)
{
	char *end;

	program->python = PYTHON_SHARED;
	program->python_minor = (int)strtol(name + strlen(PREFIX), &end, 10);
	program->free_threaded = *end == 't';
	snprintf(program->python_version, sizeof(program->python_version), "3.%d", program->python_minor);
}

/* exact_version - 3.11 and later export Py_Version, a constant in the file: 0x030b02f0. */
static bool exact_version(struct program *program, const struct elf_file *elf)
{
	const Elf64_Sym *symbol = elf_symbol(elf, "Py_Version");
	const void *bytes = symbol ? elf_at(elf, symbol->st_value, sizeof(unsigned long)) : NULL;
	unsigned long version;

	if (!bytes)
		return false;
	memcpy(&version, bytes, sizeof(version));
	if (version >> 24 != 3)
		return false;
	program->python_minor = (int)(version >> 16 & 0xff);
	snprintf(program->python_version, sizeof(program->python_version), "3.%d.%lu", program->python_minor,
		version >> 8 & 0xff);
	return true;
}

/* minor_after - the number behind the first @mark in the file that has one behind it, or 0. */
static int minor_after(const struct elf_file *elf, const char *mark, size_t length)
{
	const unsigned char *at = elf->bytes, *found;
	size_t left = elf->size;
	int minor = 0;

	while (minor == 0 && (found = memmem(at, left, mark, length))) {
		at = found + length;
		left = elf->size - (size_t)(at - elf->bytes);
		for (size_t i = 0; i < 2 && i < left && at[i] >= '0' && at[i] <= '9'; i++)
			minor = minor * 10 + (at[i] - '0');
	}
	return minor;
}

/* likely_version - before 3.11: the library directory stands in the file, as "lib/python3.9" or in two strings, the
 * second of which is "python3.9". */
static void likely_version(struct program *program, const struct elf_file *elf)
{
	static const char whole[] = "lib/python3.", second[] = "\0python3.";
	int minor = minor_after(elf, whole, sizeof(whole) - 1);

	if (minor == 0)
		minor = minor_after(elf, second, sizeof(second) - 1);
	if (minor == 0)
		return;
	program->python_minor = minor;
	snprintf(program->python_version, sizeof(program->python_version), "3.%d", minor);
}

void program_python(struct program *program, const struct elf_file *elf)
{
	const char *library = elf_needs(elf, PREFIX);

	if (library) {
		shared_python(program, library);
	} else if (elf_symbol(elf, "PyImport_Inittab")) {
		program->python = PYTHON_STATIC;
		program->free_threaded = elf_symbol(elf, "_Py_DecRefShared") != NULL;
		if (!exact_version(program, elf))
			likely_version(program, elf);
	}
}
