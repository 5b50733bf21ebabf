/* SPDX-License-Identifier: Apache-2.0 */
#include "python/frames.h"

#include <string.h>

#include "ledger/registrations.h"
#include "ledger/stacks.h"
#include "ledger/strings.h"
#include "python/capi.h"

#define QUALIFIED_NAMES 0x030b

/* The directory of the standard library: where os.py lies. Known once os is imported. */
static const char *standard_library(void)
{
	static const char *directory;
	if (directory)
		return directory;
	pyobject *modules = py.PyImport_GetModuleDict();
	pyobject *os = modules ? py.PyDict_GetItemString(modules, "os") : NULL;
	const char *file = os ? attribute_text(os, "__file__") : NULL;
	const char *slash = file ? strrchr(file, '/') : NULL;
	if (slash)
		directory = strings_intern_n(file, (size_t)(slash - file + 1));
	return directory;
}

static bool is_standard_import(const struct frame *frame)
{
	if (!frame->function || !frame->file || strcmp(frame->function, "<module>") != 0)
		return false;
	if (strncmp(frame->file, "<frozen ", 8) == 0)
		return true;
	const char *directory = standard_library();
	return directory && strncmp(frame->file, directory, strlen(directory)) == 0 &&
	       !strstr(frame->file, "/site-packages/") && !strstr(frame->file, "/dist-packages/");
}

static void copy_frame(struct frame *copy, pyobject *frame)
{
	pyobject *code = py.PyFrame_GetCode(frame);
	*copy = (struct frame){
		.python = true,
		.line = py.PyFrame_GetLineNumber(frame),
		.function = attribute_text(code, py.version >= QUALIFIED_NAMES ? "co_qualname" : "co_name"),
		.file = attribute_text(code, "co_filename"),
		.module = MODULE_NONE,
	};
	py.Py_DecRef(code);
}

uint32_t frames_here(bool *standard)
{
	struct frame frames[STACK_MAX_FRAMES];
	unsigned count = 0;
	pyobject *frame = py.PyEval_GetFrame();
	*standard = false;
	if (!frame)
		return STACK_NONE;
	py.Py_IncRef(frame);
	while (frame && count < STACK_MAX_FRAMES) {
		copy_frame(&frames[count++], frame);
		pyobject *back = py.PyFrame_GetBack(frame);
		py.Py_DecRef(frame);
		frame = back;
	}
	if (frame)
		py.Py_DecRef(frame);
	*standard = is_standard_import(&frames[0]);
	return stacks_intern(frames, count);
}
