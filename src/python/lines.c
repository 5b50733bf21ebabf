/* SPDX-License-Identifier: Apache-2.0 */
#include "python/lines.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/os.h"
#include "python/capi.h"
#include "python/layout.h"

/* PyBytesObject. */
#define BYTES_SIZE 16u
#define BYTES_TEXT 32u

static int first_line(uintptr_t code)
{
	return *(const int *)(code + layout.first_line);
}

/* The three formats differ in their pieces alone. Each: the piece after the one that @at stands on; false past the
 * last. What the table holds may be anything (code.replace): it is read within its bounds. */

/* Up to 3.9: by how much the next piece's start lies behind this one's, and its line (signed). The last has no end. */
static inline bool step_pairs(struct line_cursor *at)
{
	if (at->limit - at->next < 2)
		return false;
	at->start = at->end;
	at->reached += (int8_t)at->next[1];
	at->next += 2;
	at->end = at->limit - at->next < 2 ? INT32_MAX : at->end + at->next[0];
	at->line = at->reached;
	return true;
}

/* 3.10: a piece's size, and its line from the last's on; -128 for one without a line. */
static inline bool step_sized(struct line_cursor *at)
{
	if (at->limit - at->next < 2)
		return false;
	int8_t more = (int8_t)at->next[1];
	at->start = at->end;
	at->end += at->next[0];
	at->reached += more == INT8_MIN ? 0 : more;
	at->line = more == INT8_MIN ? 0 : at->reached;
	at->next += 2;
	return true;
}

/* From 3.11 on: a byte with its top bit set, four bits that say what follows, three for the size in instruction words;
 * then bytes without that bit, of which a line's difference comes first. */
enum { ONE_LINE_0 = 10, NO_COLUMNS = 13, LONG = 14, NO_LINE = 15 };
#define WORD 2

static int signed_varint(const uint8_t *from, const uint8_t *limit)
{
	uint32_t value = 0;

	for (unsigned shift = 0; from < limit && shift < 32; from++, shift += 6) {
		value |= (uint32_t)(*from & 0x3f) << shift;
		if (!(*from & 0x40))
			break;
	}
	return value & 1 ? -(int)(value >> 1) : (int)(value >> 1);
}

/* Behind the bytes without the top bit that begin at @from; nearly always fewer than eight. */
static inline const uint8_t *behind(const uint8_t *from, const uint8_t *limit)
{
	uint64_t bytes;

	if (likely(limit - from >= (ptrdiff_t)sizeof(bytes))) {
		memcpy(&bytes, from, sizeof(bytes));
		bytes &= UINT64_C(0x8080808080808080);
		if (likely(bytes))
			return from + __builtin_ctzll(bytes) / 8;
		from += sizeof(bytes);
	}
	while (from < limit && !(*from & 0x80))
		from++;
	return from;
}

static inline bool step_locations(struct line_cursor *at)
{
	if (at->next >= at->limit)
		return false;
	const unsigned first = *at->next++, kind = first >> 3 & 15, size = (first & 7) + 1;
	int more = 0;
	if (kind == LONG || kind == NO_COLUMNS)
		more = signed_varint(at->next, at->limit);
	else if (kind >= ONE_LINE_0 && kind < NO_COLUMNS)
		more = (int)kind - ONE_LINE_0;
	at->next = behind(at->next, at->limit);
	at->start = at->end;
	at->end += (int32_t)(size * WORD);
	at->reached = (int)((unsigned)at->reached + (unsigned)more);
	at->line = kind == NO_LINE ? 0 : at->reached;
	return true;
}

static void begin(struct line_cursor *at, uintptr_t code, uint32_t serial)
{
	uintptr_t table = layout_word(code, layout.linetable);
	bool pairs = py.version < 0x030a;

	*at = (struct line_cursor){ .serial = serial, .next = (const uint8_t *)table + BYTES_TEXT };
	at->limit = at->next + layout_word(table, BYTES_SIZE);
	at->reached = first_line(code);
	if (pairs) {
		at->line = at->reached;
		at->end = at->limit - at->next < 2 ? INT32_MAX : at->next[0];
	}
}

/* To the piece that holds @offset, which does not lie before the one that @at stands on. In registers: a module's body
 * is passed through statement by statement, each of them many pieces. */
static inline __attribute__((always_inline))
bool pass(struct line_cursor *at, int32_t offset, bool (*step)(struct line_cursor *at))
{
	struct line_cursor now = *at;
	bool there = true;

	while (there && offset >= now.end)
		there = step(&now);
	*at = now;
	return there;
}

static bool seek(struct line_cursor *at, int32_t offset)
{
	if (py.version >= 0x030b)
		return pass(at, offset, step_locations);
	return py.version >= 0x030a ? pass(at, offset, step_sized) : pass(at, offset, step_pairs);
}

uint32_t lines_find(struct line_cursor *cursors, uintptr_t code, uint32_t serial, int32_t offset)
{
	struct line_cursor *at = &cursors[serial & (LINES_CURSORS - 1)];
	int line;

	if (!layout.linetable) {
		line = py.PyCode_Addr2Line((pyobject *)code, offset);
	} else if (offset < 0) {
		line = first_line(code);
	} else {
		if (at->serial != serial || offset < at->start)
			begin(at, code, serial);
		if (!seek(at, offset))
			return 0;
		line = at->line;
	}
	return line > 0 ? (uint32_t)line : 0;
}
