/* SPDX-License-Identifier: Apache-2.0 */
#include "python/running.h"

#include <stdlib.h>

#include "ledger/strings.h"

/* From here on a frame object does not own what its running frame names, and code has a qualified name. */
#define FRAMES_APART 0x030b
/* inspect.h: only such code has locals of its own, and a generator's are its own, not the frame's. */
#define CO_OPTIMIZED 0x1
#define CO_GENERATORS (0x20 | 0x80 | 0x200)
/* Deeper stacks are named up to here. */
#define FRAMES_MAX 1000

static bool names(pyobject *tuple, pyobject *name)
{
	for (intptr_t i = 0; tuple && i < py.PyTuple_Size(tuple); i++)
		if (py.PyTuple_GetItem(tuple, i) == name)
			return true;
	return false;
}

static void add(struct running *running, const pyobject *object, const char *function, const char *name)
{
	if (running->count == running->room) {
		uint32_t room = running->room ? 2 * running->room : 256;
		void *locals = realloc(running->locals, room * sizeof *running->locals);
		if (!locals)
			return;
		running->locals = locals;
		running->room = room;
	}
	running->locals[running->count++] = (struct running_local){object, function, name};
}

/* A dict of the names; from 3.13 on the frame gives a view of them. */
static pyobject *locals_of(pyobject *frame)
{
	pyobject *locals = attribute(frame, "f_locals");
	if (!locals || locals->type == py.PyDict_Type)
		return locals;
	pyobject *dict = py.PyDict_New();
	if (dict)
		py.PyDict_Update(dict, locals);
	py.Py_DecRef(locals);
	return dict;
}

/* Names in cells are left out: the cell refers to the object, and the graph shows it. */
static void collect_locals(struct running *running, pyobject *frame, pyobject *code)
{
	pyobject *own_cells = attribute(code, "co_cellvars"), *outer_cells = attribute(code, "co_freevars");
	pyobject *locals = own_cells && outer_cells ? locals_of(frame) : NULL;
	const char *function = attribute_text(code, py.version >= FRAMES_APART ? "co_qualname" : "co_name");
	intptr_t position = 0;
	pyobject *key, *value;
	while (locals && py.PyDict_Next(locals, &position, &key, &value))
		if (!names(own_cells, key) && !names(outer_cells, key))
			add(running, value, function, text_of(key));
	py.PyErr_Clear();
	pyobject *passing[] = {own_cells, outer_cells, locals};
	for (unsigned i = 0; i < sizeof passing / sizeof *passing; i++)
		if (passing[i])
			py.Py_DecRef(passing[i]);
}

static void collect_stack(struct running *running, const struct heap *heap, pyobject *frame)
{
	for (unsigned depth = 0; frame && depth < FRAMES_MAX; depth++) {
		pyobject *code = py.PyFrame_GetCode(frame);
		pyobject *number = attribute(code, "co_flags");
		long flags = number ? py.PyLong_AsLong(number) : 0;
		if (number)
			py.Py_DecRef(number);
		bool shown = py.version < FRAMES_APART && heap_node(heap, frame) != NODE_NONE;
		if ((flags & CO_OPTIMIZED) && !(flags & CO_GENERATORS) && !shown)
			collect_locals(running, frame, code);
		py.Py_DecRef(code);
		pyobject *back = py.PyFrame_GetBack(frame);
		py.Py_DecRef(frame);
		frame = back;
	}
	if (frame)
		py.Py_DecRef(frame);
}

void running_collect(struct running *running, const struct heap *heap)
{
	*running = (struct running){0};
	if (!py.PyDict_New || !py.PyDict_Update || !py.PyThreadState_GetFrame || !py.PyInterpreterState_ThreadHead ||
	    !py.PyThreadState_Next)
		return;
	void *thread = py.PyInterpreterState_ThreadHead(py.PyInterpreterState_Get());
	for (; thread; thread = py.PyThreadState_Next(thread))
		collect_stack(running, heap, py.PyThreadState_GetFrame(thread));
}
