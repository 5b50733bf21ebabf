/* SPDX-License-Identifier: Apache-2.0 */
/* program_python.h - is there a CPython in an executable, and which? For program.c only. */
#ifndef TOOLS_PROGRAM_PYTHON_H
#define TOOLS_PROGRAM_PYTHON_H
#include "elf_file.h"
#include "program.h"

/* program_python - fill in the python fields of @program from its file. */
void program_python(struct program *program, const struct elf_file *elf);

#endif
