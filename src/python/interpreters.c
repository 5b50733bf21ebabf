/* SPDX-License-Identifier: Apache-2.0 */
#include "python/interpreters.h"

#include <stdatomic.h>
#include <stddef.h>

static struct interpreter table[INTERPRETERS_MAX];
static _Atomic uint32_t count;
static void (*at_exit)(void);

/* Never called: sentinels are cut off again before any fork. */
static pyobject *sentinel_call(pyobject *self, pyobject *arguments)
{
	(void)self, (void)arguments;
	return NULL;
}

static struct method_def sentinel_def = {"forkheld_sentinel", sentinel_call, METH_NOARGS_FLAG, NULL};

/* Which of the referrers ends with its phase's sentinel? Those are the three lists. */
static bool match_lists(struct interpreter *interpreter, pyobject *referrers, pyobject *const sentinels[PHASES])
{
	unsigned found = 0;
	for (intptr_t i = 0; i < py.PyList_Size(referrers); i++) {
		pyobject *list = py.PyList_GetItem(referrers, i);
		if (list->type != py.PyList_Type)
			continue;
		intptr_t size = py.PyList_Size(list);
		pyobject *last = size ? py.PyList_GetItem(list, size - 1) : NULL;
		for (int phase = 0; phase < PHASES; phase++) {
			if (last != sentinels[phase])
				continue;
			interpreter->lists[phase] = list;
			found++;
			py.PyList_SetSlice(list, size - 1, size, NULL);
		}
	}
	return found == PHASES;
}

static pyobject *keyword_names(void)
{
	pyobject *names[PHASES] = {
		py.PyUnicode_InternFromString("before"),
		py.PyUnicode_InternFromString("after_in_parent"),
		py.PyUnicode_InternFromString("after_in_child"),
	};
	pyobject *tuple = py.PyTuple_Pack(PHASES, names[0], names[1], names[2]);
	for (int i = 0; i < PHASES; i++)
		py.Py_DecRef(names[i]);
	return tuple;
}

static bool find_lists(struct interpreter *interpreter, pyobject *module, fastcall_fn real)
{
	pyobject *sentinels[PHASES], *names = keyword_names();
	for (int i = 0; i < PHASES; i++)
		sentinels[i] = py.PyCFunction_NewEx(&sentinel_def, NULL, NULL);
	bool found = false;
	pyobject *done = real(module, sentinels, 0, names);
	pyobject *gc = done ? py.PyImport_ImportModule("gc") : NULL;
	pyobject *get_referrers = gc ? attribute(gc, "get_referrers") : NULL;
	if (get_referrers) {
		pyobject *referrers = py.PyObject_CallFunctionObjArgs(get_referrers, sentinels[0], sentinels[1],
								      sentinels[2], NULL);
		if (referrers) {
			found = match_lists(interpreter, referrers, sentinels);
			py.Py_DecRef(referrers);
		}
		py.Py_DecRef(get_referrers);
	}
	py.PyErr_Clear();
	pyobject *drop[] = {gc, done, names, sentinels[0], sentinels[1], sentinels[2]};
	for (unsigned i = 0; i < sizeof(drop) / sizeof(*drop); i++)
		if (drop[i])
			py.Py_DecRef(drop[i]);
	return found;
}

/* The first callback that an interpreter registers is the last that it runs. */
static pyobject *last_callback(pyobject *self, pyobject *arguments)
{
	(void)self, (void)arguments;
	uint32_t index = interpreters_current();
	if (index != INTERPRETER_NONE && !table[index].main)
		table[index].ended = true;
	else if (at_exit)
		at_exit();
	py.Py_IncRef(py._Py_NoneStruct);
	return py._Py_NoneStruct;
}

static struct method_def callback_def = {"forkheld_at_exit", last_callback, METH_NOARGS_FLAG, NULL};

static bool register_callback(void)
{
	pyobject *atexit = py.PyImport_ImportModule("atexit");
	pyobject *add = atexit ? attribute(atexit, "register") : NULL;
	pyobject *callback = py.PyCFunction_NewEx(&callback_def, NULL, NULL);
	pyobject *done = add && callback ? py.PyObject_CallFunctionObjArgs(add, callback, NULL) : NULL;
	bool good = done != NULL;
	py.PyErr_Clear();
	pyobject *drop[] = {done, callback, add, atexit};
	for (unsigned i = 0; i < sizeof(drop) / sizeof(*drop); i++)
		if (drop[i])
			py.Py_DecRef(drop[i]);
	return good;
}

static uint64_t freeze_count(void)
{
	pyobject *gc = py.PyImport_ImportModule("gc");
	pyobject *function = gc ? attribute(gc, "get_freeze_count") : NULL;
	pyobject *count = function ? py.PyObject_CallObject(function, NULL) : NULL;
	uint64_t result = count ? py.PyLong_AsSize_t(count) : 0;
	py.PyErr_Clear();
	pyobject *drop[] = {count, function, gc};
	for (unsigned i = 0; i < sizeof(drop) / sizeof(*drop); i++)
		if (drop[i])
			py.Py_DecRef(drop[i]);
	return result;
}

static struct interpreter *new_entry(void)
{
	uint32_t index = atomic_load(&count);
	if (index == INTERPRETERS_MAX)
		return NULL;
	struct interpreter *interpreter = &table[index];
	interpreter->state = py.PyInterpreterState_Get();
	interpreter->id = py.PyInterpreterState_GetID(interpreter->state);
	interpreter->main = interpreter->state == py.PyInterpreterState_Main();
	/* Py_Finalize and Py_Initialize again reuse the state's address: the earlier life is over. */
	for (uint32_t i = 0; i < index; i++)
		if (table[i].state == interpreter->state)
			table[i].ended = true;
	return interpreter;
}

void interpreters_begin(pyobject *module, fastcall_fn real)
{
	struct interpreter *interpreter = new_entry();
	if (!interpreter)
		return;
	bool had_gc = py.PyDict_GetItemString(py.PyImport_GetModuleDict(), "gc") != NULL;
	if (!find_lists(interpreter, module, real))
		interpreter->problem = "the interpreter's lists of fork callables were not found";
	interpreter->hidden = freeze_count();
	/* atexit has to stay: before 3.10 the interpreter keeps only a borrowed reference to it. */
	if (!had_gc && py.PyDict_DelItemString(py.PyImport_GetModuleDict(), "gc") < 0)
		py.PyErr_Clear();
	atomic_fetch_add(&count, 1);
	if (!register_callback())
		interpreter->problem = "the last atexit callback could not be registered";
}

void interpreters_late(void)
{
	pyobject *posix = py.PyImport_ImportModule("posix");
	pyobject *function = posix ? attribute(posix, "register_at_fork") : NULL;
	struct interpreter *interpreter = function ? new_entry() : NULL;
	if (interpreter) {
		fastcall_fn real = (fastcall_fn)(void *)py.PyCFunction_GetFunction(function);
		if (!find_lists(interpreter, posix, real))
			interpreter->problem = "the interpreter's lists of fork callables were not found (attached late)";
		atomic_fetch_add(&count, 1);
	}
	py.PyErr_Clear();
}

uint32_t interpreters_current(void)
{
	void *state = py.PyInterpreterState_Get();
	for (uint32_t i = atomic_load(&count); i-- > 0;)
		if (table[i].state == state)
			return i;
	return INTERPRETER_NONE;
}

uint32_t interpreters_count(void)
{
	return atomic_load(&count);
}

struct interpreter *interpreters_get(uint32_t index)
{
	return &table[index];
}

void interpreters_at_exit(void (*function)(void))
{
	at_exit = function;
}
