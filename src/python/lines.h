/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.h - the line of an instruction, read from the code object's own table. PyCode_Addr2Line begins at the table's
 * start each time, which for a module's body is the whole of it at every statement; a cursor goes on from where it was.
 */
#ifndef PYTHON_LINES_H
#define PYTHON_LINES_H
#include <stdint.h>

#define LINES_CURSORS 256u  /* a power of two */

/* Where in its table the code object with this serial (codes.h) was looked at last. */
struct line_cursor {
	uint32_t serial;       /* 0: none yet */
	int32_t start, end;    /* the piece there: offsets from @start on, below @end */
	int line, reached;     /* its line, 0 for none; what the next piece's line is counted from */
	const uint8_t *next, *limit;
};

/* lines_find - the line of the instruction @offset bytes into the code object at @code, which lives and has @serial;
 * 0 if it has none. What PyCode_Addr2Line says, and asked from it where the table is not known to be understood
 * (layout.linetable). @cursors: [LINES_CURSORS], zeroed at first, the caller's alone. With the code's GIL. */
uint32_t lines_find(struct line_cursor *cursors, uintptr_t code, uint32_t serial, int32_t offset);

#endif
