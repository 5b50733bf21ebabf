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

static void drop(pyobject **objects, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (objects[i])
			py.Py_DecRef(objects[i]);
		objects[i] = NULL;
	}
}

static void hold_gc(struct interpreter *interpreter, pyobject *gc)
{
#define GC_FUNCTION_NAME(name, text) text,
	static const char *const names[] = {GC_FUNCTIONS(GC_FUNCTION_NAME)};
	for (unsigned i = 0; i < GC_FUNCTION_COUNT && gc; i++) {
		interpreter->gc[i] = attribute(gc, names[i]);
		/* Somebody's own function would be host code. */
		if (interpreter->gc[i] && !object_is(interpreter->gc[i], py.PyCFunction_Type))
			drop(&interpreter->gc[i], 1);
	}
}

pyobject *interpreters_gc(const struct interpreter *interpreter, enum gc_function function)
{
	pyobject *callable = interpreter->gc[function];
	pyobject *result = callable ? py.PyObject_CallObject(callable, NULL) : NULL;
	if (!result)
		py.PyErr_Clear();
	return result;
}

static bool find_lists(struct interpreter *interpreter, pyobject *module, fastcall_fn real)
{
	pyobject *sentinels[PHASES], *names = keyword_names();
	for (int i = 0; i < PHASES; i++)
		sentinels[i] = py.PyCFunction_NewEx(&sentinel_def, NULL, NULL);
	bool found = false;
	pyobject *done = real(module, sentinels, 0, names), *get_referrers = interpreter->gc[GC_GET_REFERRERS];
	pyobject *referrers = done && get_referrers
		? py.PyObject_CallFunctionObjArgs(get_referrers, sentinels[0], sentinels[1], sentinels[2], NULL) : NULL;
	if (referrers)
		found = match_lists(interpreter, referrers, sentinels);
	py.PyErr_Clear();
	drop(sentinels, PHASES);
	drop((pyobject *[]){referrers, done, names}, 3);
	return found;
}

/* The first callback that an interpreter registers is the last that it runs. */
static pyobject *last_callback(pyobject *self, pyobject *arguments)
{
	(void)self, (void)arguments;
	uint32_t index = interpreters_current();
	if (index != INTERPRETER_NONE && !table[index].main) {
		table[index].ended = true;
		drop(table[index].gc, GC_FUNCTION_COUNT);
	} else if (at_exit && py.PyInterpreterState_Get() == py.PyInterpreterState_Main()) {
		at_exit();
	}
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
	drop((pyobject *[]){done, callback, add, atexit}, 4);
	return good;
}

static uint64_t freeze_count(const struct interpreter *interpreter)
{
	pyobject *count = interpreters_gc(interpreter, GC_FREEZE_COUNT);
	uint64_t result = count ? py.PyLong_AsSize_t(count) : 0;
	drop(&count, 1);
	return result;
}

bool interpreters_pause_gc(void)
{
	uint32_t index = interpreters_current();
	if (index == INTERPRETER_NONE)
		return false;
	pyobject *enabled = interpreters_gc(&table[index], GC_IS_ENABLED);
	bool on = enabled && py.PyObject_IsTrue(enabled) == 1;
	pyobject *done = on ? interpreters_gc(&table[index], GC_DISABLE) : NULL;
	drop((pyobject *[]){enabled, done}, 2);
	return on;
}

void interpreters_resume_gc(void)
{
	pyobject *done = interpreters_gc(&table[interpreters_current()], GC_ENABLE);
	drop(&done, 1);
}

uint64_t interpreters_hidden(const struct interpreter *interpreter)
{
	uint64_t now = freeze_count(interpreter);
	return now > interpreter->hidden ? now - interpreter->hidden : 0;
}

static const char starting[] = "an interpreter was about to start";

/* Nothing else has been said of it meanwhile. */
static void settled(struct interpreter *interpreter)
{
	if (interpreter->problem == starting)
		interpreter->problem = NULL;
}

static struct interpreter *new_entry(void)
{
	/* From 3.12 on two interpreters may begin at the same time. */
	uint32_t index = atomic_load(&count);
	while (index < INTERPRETERS_MAX && !atomic_compare_exchange_weak(&count, &index, index + 1))
		;
	if (index == INTERPRETERS_MAX)
		return NULL;
	struct interpreter *interpreter = &table[index];
	interpreter->problem = starting;
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
	pyobject *modules = py.PyImport_GetModuleDict();
	bool had_gc = py.PyDict_GetItemString(modules, "gc") != NULL;
	pyobject *gc = py.PyImport_ImportModule("gc");
	hold_gc(interpreter, gc);
	if (!find_lists(interpreter, module, real))
		interpreter->problem = "the interpreter's lists of fork callables were not found";
	interpreter->hidden = freeze_count(interpreter);
	drop(&gc, 1);
	/* atexit has to stay: before 3.10 the interpreter keeps only a borrowed reference to it. */
	if (!had_gc)
		py.PyDict_DelItemString(modules, "gc");
	py.PyErr_Clear();
	settled(interpreter);
	if (!register_callback())
		interpreter->problem = "the last atexit callback could not be registered";
}

void interpreters_late(void)
{
	pyobject *modules = py.PyImport_GetModuleDict();
	pyobject *posix = py.PyDict_GetItemString(modules, "posix");
	pyobject *function = posix ? attribute(posix, "register_at_fork") : NULL;
	struct interpreter *interpreter = function ? new_entry() : NULL;
	if (interpreter) {
		hold_gc(interpreter, py.PyDict_GetItemString(modules, "gc"));
		if (!find_lists(interpreter, posix, (fastcall_fn)(void *)py.PyCFunction_GetFunction(function)))
			interpreter->problem = "the interpreter's lists of fork callables were not found (attached late)";
		settled(interpreter);
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
