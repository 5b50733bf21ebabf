/* SPDX-License-Identifier: Apache-2.0 */
/* A module for a running Python to load: the lines that lines_find reads, to be held against PyCode_Addr2Line. */
#define _GNU_SOURCE
#include "python/lines.h"

#include "inside.h"

/* Return: 0, or why nothing can be compared. */
__attribute__((visibility("default"))) const char *test_attach(void);
const char *test_attach(void)
{
	const char *problem = inside_attach_layout();

	return problem || layout.linetable ? problem : "the table of lines is not understood";
}

static bool same(struct line_cursor *cursors, pyobject *code, uint32_t serial, int32_t offset)
{
	int line = py.PyCode_Addr2Line(code, offset);

	return lines_find(cursors, (uintptr_t)code, serial, offset) == (line > 0 ? (uint32_t)line : 0);
}

/* The instructions of @size bytes in ascending order, in descending order, and in leaps, some of them from the start
 * again. Return: the first offset that differs, or -2. */
__attribute__((visibility("default"))) int test_lines(pyobject *code, int size);
int test_lines(pyobject *code, int size)
{
	static struct line_cursor cursors[LINES_CURSORS];
	static uint32_t serial;

	serial++;
	for (int offset = -1; offset < size; offset++)
		if (!same(cursors, code, serial, offset))
			return offset;
	for (int offset = size; offset-- > -1;)
		if (!same(cursors, code, serial, offset))
			return offset;
	for (int i = 0; i < size; i++) {
		int offset = (int)((unsigned)i * 7919u % (unsigned)size);
		if (!same(cursors, code, serial, offset))
			return offset;
		if (i % 3 == 0)
			cursors[serial % LINES_CURSORS].serial = 0;
	}
	return -2;
}

/* Return: is that one the same? */
__attribute__((visibility("default"))) int test_line(pyobject *code, int offset);
int test_line(pyobject *code, int offset)
{
	struct line_cursor cursors[LINES_CURSORS] = { { 0 } };

	return same(cursors, code, 1, offset);
}

/* Reads what may be any bytes, which CPython would not survive. */
__attribute__((visibility("default"))) void test_garbage(pyobject *code, int size);
void test_garbage(pyobject *code, int size)
{
	struct line_cursor cursors[LINES_CURSORS] = { { 0 } };

	for (int offset = 0; offset < size; offset++)
		lines_find(cursors, (uintptr_t)code, 1, offset);
}
