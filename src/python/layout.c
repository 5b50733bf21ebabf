/* SPDX-License-Identifier: Apache-2.0 */
#include "python/layout.h"

#include <string.h>

#include "python/capi.h"
#include "python/lines.h"

#define DEPTH 64u

struct layout layout;
const uintptr_t *layout_thread;

static const struct layout rows[] = {
	{ 0x0309, 24, false, 0, 176, 24, 32, 104, 0, 1, 112, 104, 40, 0, 120, 0x238, 0 },
	{ 0x030a, 24, false, 0, 176, 24, 32, 96, 0, 2, 112, 104, 40, 0, 120, 0x238, 0 },
	{ 0x030b, 56, true, 8, 152, 48, 32, 56, 69, 0, 128, 112, 72, 184, 136, 0x240, 296 },
	{ 0x030c, 56, true, 0, 136, 8, 0, 56, 70, 0, 128, 112, 68, 192, 136, 0, 0 },
	{ 0x030d, 72, false, 0, 152, 8, 0, 56, 70, 0, 128, 112, 68, 200, 136, 0, 0 },
	{ 0x030e, 72, false, 0, 152, 8, 0, 56, 74, 0, 128, 112, 68, 208, 136, 0, 0 },
	{ 0x030f, 72, false, 0, 176, 8, 0, 56, 74, 0, 128, 112, 68, 208, 136, 0, 0 },
};

/* From 3.13 on _PyRuntime begins with a table of offsets: a text, the version, then words. Which word says what: */
static const struct debug_row {
	uint16_t version;
	uint8_t current_frame, thread_id;
	uint8_t previous;   /* then executable, instr_ptr, localsplus, owner */
	uint8_t filename;   /* then name, qualname, linetable, firstlineno, argcount, two of locals, co_code_adaptive */
} debug_rows[] = {
	{ 0x030d, 23, 24, 29, 35 },
	{ 0x030e, 26, 27, 32, 40 },
	{ 0x030f, 26, 30, 40, 48 },
};

/* Another release of the same version may have moved a field: the interpreter's own word for it goes first. */
static void ask_runtime(struct layout *row, const uint64_t *words)
{
	const struct debug_row *places = NULL;

	for (unsigned i = 0; i < sizeof debug_rows / sizeof *debug_rows; i++)
		if (debug_rows[i].version == row->version)
			places = &debug_rows[i];
	if (!places || !words || memcmp(words, "xdebugpy", 8) != 0 || words[1] >> 16 != row->version)
		return;
	const uint64_t *frame = words + places->previous, *code = words + places->filename;
	const struct { uint8_t *field; uint64_t word; } found[] = {
		{ &row->thread_frame, words[places->current_frame] }, { &row->thread_id, words[places->thread_id] },
		{ &row->previous, frame[0] }, { &row->code, frame[1] }, { &row->instruction, frame[2] },
		{ &row->owner, frame[4] },
		{ &row->filename, code[0] }, { &row->name, code[2] }, { &row->first_line, code[4] },
		{ &row->first_instruction, code[8] }, { &row->linetable, code[3] },
	};
	for (unsigned i = 0; i < sizeof found / sizeof *found; i++)
		if (found[i].word > UINT8_MAX)
			return;
	for (unsigned i = 0; i < sizeof found / sizeof *found; i++)
		*found[i].field = (uint8_t)found[i].word;
}

static bool same_attribute(pyobject *code, const char *name, unsigned offset)
{
	pyobject *value = attribute(code, name);
	bool same = value && layout_word((uintptr_t)code, offset) == (uintptr_t)value;

	if (value)
		py.Py_DecRef(value);
	return same;
}

static bool same_code(uintptr_t ours, pyobject *code)
{
	if (ours != (uintptr_t)code || code->type != py.PyCode_Type)
		return false;
	const char *name = layout.first_instruction ? "co_qualname" : "co_name";
	return same_attribute(code, name, layout.name) && same_attribute(code, "co_filename", layout.filename);
}

/* The next frame from @frame outward that runs code and has come beyond its prologue, as the C API shows them; 0
 * past the last. */
static uintptr_t shown(uintptr_t frame)
{
	while (frame && (!layout_runs(frame) || layout_offset(layout_code(frame), layout_at(frame)) < 0))
		frame = layout_word(frame, layout.previous);
	return frame;
}

/* Another release may write its tables of lines in another way: then they are not read here. */
static void check_lines(pyobject *code, int32_t offset, int line)
{
	struct line_cursor cursors[LINES_CURSORS] = { { 0 } };

	if (lines_find(cursors, (uintptr_t)code, 1, offset) != (uint32_t)(line > 0 ? line : 0))
		layout.linetable = 0;
}

/* The line is compared too: it depends on the instruction and on the code's start. */
static bool same_frame(uintptr_t ours, pyobject *frame)
{
	pyobject *code = py.PyFrame_GetCode(frame);
	bool same = ours && same_code(layout_code(ours), code);
	int32_t offset = same ? layout_offset((uintptr_t)code, layout_at(ours)) : 0;
	int line = same ? py.PyCode_Addr2Line(code, offset) : 0;

	if (same)
		check_lines(code, offset, line);

	py.Py_DecRef(code);
	return same && line == py.PyFrame_GetLineNumber(frame);
}

static bool check(void)
{
	uintptr_t thread = (uintptr_t)capi_current(), ours;
	pyobject *frame = py.PyEval_GetFrame();
	bool same = thread && frame;

	if (!same)
		return false;
	ours = shown(layout_current(thread));
	py.Py_IncRef(frame);
	for (unsigned depth = 0; same && frame && depth < DEPTH; depth++) {
		same = same_frame(ours, frame);
		ours = same ? shown(layout_word(ours, layout.previous)) : 0;
		pyobject *back = py.PyFrame_GetBack(frame);
		py.Py_DecRef(frame);
		frame = back;
	}
	if (frame)
		py.Py_DecRef(frame);
	return same && (frame || !ours);
}

/* A thread state's chunk is followed by the places of its next frame and of its end. */
static bool chunk_fits(uintptr_t thread)
{
	if (!layout.chunk || layout.instruction != layout.previous + sizeof(uintptr_t))
		return false;
	uintptr_t chunk = layout_word(thread, layout.chunk), top = layout_word(thread, layout.chunk + 8),
		  end = layout_word(thread, layout.chunk + 16), frame = layout_current(thread);
	return chunk % 16 == 0 && frame > chunk && top > frame && top <= end && end - chunk >= LAYOUT_CHUNK &&
	       layout_word(chunk, 8) == end - chunk;
}

bool layout_attach(void *(*symbol)(const char *name))
{
	const struct layout *row = NULL;
	const uintptr_t *word;

	if (layout.version)
		return true;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].version == py.version)
			row = &rows[i];
	if (!row)
		return false;
	layout = *row;
	ask_runtime(&layout, symbol("_PyRuntime"));
	/* Nobody else looks before it is known to fit: the check itself allocates. */
	layout.version = 0;
	if (!check())
		return false;
	word = layout.current ? symbol("_PyRuntime") : NULL;
	word = word ? word + layout.current / sizeof *word : NULL;
	if (!chunk_fits((uintptr_t)capi_current()))
		layout.chunk = 0;
	layout_thread = word && *word == (uintptr_t)capi_current() ? word : NULL;
	layout.version = row->version;
	return true;
}
