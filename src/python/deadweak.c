/* SPDX-License-Identifier: Apache-2.0 */
#include "python/deadweak.h"

#include <stdlib.h>

#include "python/weakcall.h"

#define EXCEPTION_TABLES 0x030b
#define SOURCES_MAX 64u
#define NAMES_MAX 1024

/* A call in the making: the function below the wrappers, and what they pass first. */
struct call {
	pyobject *function;
	pyobject *arguments[SOURCES_MAX];
	unsigned argument_count;
};

static bool is_dead(pyobject *object)
{
	return object && object_is(object, py._PyWeakref_RefType) && !weakref_referent(object);
}

static int note_part(pyobject *object, void *call_pointer)
{
	struct call *call = call_pointer;
	if (object->type == py.PyTuple_Type) {
		for (intptr_t i = 0; i < py.PyTuple_Size(object) && call->argument_count < SOURCES_MAX; i++)
			call->arguments[call->argument_count++] = py.PyTuple_GetItem(object, i);
	} else if (object->type == py.PyFunction_Type || object->type == py.PyMethod_Type) {
		call->function = object;
	}
	return 0;
}

static void unwrap(struct call *call)
{
	if (peel_is_partial(call->function)) {
		pyobject *partial = call->function;
		partial->type->traverse(partial, note_part, call);
	}
	if (call->function->type == py.PyMethod_Type) {
		for (unsigned i = call->argument_count < SOURCES_MAX ? call->argument_count++ : SOURCES_MAX - 1; i > 0; i--)
			call->arguments[i] = call->arguments[i - 1];
		call->arguments[0] = py.PyMethod_Self(call->function);
		call->function = py.PyMethod_Function(call->function);
	}
}

static long number(pyobject *object, const char *name)
{
	pyobject *value = attribute(object, name);
	long result = value ? py.PyLong_AsLong(value) : -1;
	if (value)
		py.Py_DecRef(value);
	return result;
}

static pyobject *cell_content(pyobject *cell)
{
	return ((pyobject **)(cell + 1))[0];
}

static unsigned find_sources(const struct call *call, pyobject *code, struct weakcall_source sources[SOURCES_MAX])
{
	unsigned count = 0;
	pyobject *closure = py.PyFunction_GetClosure(call->function);
	for (intptr_t i = 0; closure && i < py.PyTuple_Size(closure) && count < SOURCES_MAX; i++)
		if (is_dead(cell_content(py.PyTuple_GetItem(closure, i))))
			sources[count++] = (struct weakcall_source){.kind = WEAK_DEREF, .index = (int)i};
	for (unsigned i = 0; i < call->argument_count && count < SOURCES_MAX; i++)
		if (is_dead(call->arguments[i]))
			sources[count++] = (struct weakcall_source){.kind = WEAK_FAST, .index = (int)i};
	pyobject *defaults = py.PyFunction_GetDefaults(call->function);
	intptr_t size = defaults ? py.PyTuple_Size(defaults) : 0;
	long first = number(code, "co_argcount") - size;
	for (intptr_t i = 0; i < size && count < SOURCES_MAX; i++)
		if (first + i >= (long)call->argument_count && is_dead(py.PyTuple_GetItem(defaults, i)))
			sources[count++] = (struct weakcall_source){.kind = WEAK_FAST, .index = (int)(first + i)};
	return count;
}

static unsigned find_keyword_sources(const struct call *call, pyobject *code, unsigned count,
				     struct weakcall_source sources[SOURCES_MAX])
{
	pyobject *defaults = py.PyFunction_GetKwDefaults(call->function);
	pyobject *names = defaults ? attribute(code, "co_varnames") : NULL;
	long first = number(code, "co_argcount"), last = first + number(code, "co_kwonlyargcount");
	for (long i = first; names && i < last && count < SOURCES_MAX; i++) {
		const char *name = text_of(py.PyTuple_GetItem(names, i));
		if (name && is_dead(py.PyDict_GetItemString(defaults, name)))
			sources[count++] = (struct weakcall_source){.kind = WEAK_FAST, .index = (int)i};
	}
	if (names)
		py.Py_DecRef(names);
	return count;
}

static unsigned find_global_sources(const struct call *call, pyobject *code, unsigned count,
				    struct weakcall_source sources[SOURCES_MAX])
{
	pyobject *globals = py.PyFunction_GetGlobals(call->function), *names = attribute(code, "co_names");
	for (intptr_t i = 0; names && globals && i < py.PyTuple_Size(names) && count < SOURCES_MAX; i++) {
		const char *name = text_of(py.PyTuple_GetItem(names, i));
		if (name && is_dead(py.PyDict_GetItemString(globals, name)))
			sources[count++] = (struct weakcall_source){.kind = WEAK_GLOBAL, .name = name};
	}
	if (names)
		py.Py_DecRef(names);
	return count;
}

static bool const_is_none(void *constants, unsigned index)
{
	return index < (uint64_t)py.PyTuple_Size(constants) && py.PyTuple_GetItem(constants, index) == py._Py_NoneStruct;
}

static intptr_t size_of(pyobject *code, const char *name)
{
	pyobject *tuple = attribute(code, name);
	intptr_t size = tuple ? py.PyTuple_Size(tuple) : 0;
	if (tuple)
		py.Py_DecRef(tuple);
	return size;
}

/* 3.11+: locals and cells share one array in which a cell that is an argument stands once. */
static int local_and_cell_count(pyobject *code)
{
	pyobject *locals = attribute(code, "co_varnames"), *cells = attribute(code, "co_cellvars");
	intptr_t local_count = locals ? py.PyTuple_Size(locals) : 0, cell_count = cells ? py.PyTuple_Size(cells) : 0;
	intptr_t total = local_count + cell_count;
	for (intptr_t i = 0; i < cell_count; i++)
		for (intptr_t j = 0; j < local_count; j++)
			total -= text_of(py.PyTuple_GetItem(cells, i)) == text_of(py.PyTuple_GetItem(locals, j));
	return (int)total;
}

static enum weakcall_verdict decide(pyobject *code, const struct weakcall_source *sources, unsigned count)
{
	static const char *names_text[NAMES_MAX];
	struct weakcall_code view = {.version = py.version, .const_is_none = const_is_none};
	pyobject *bytes = attribute(code, "co_code"), *names = attribute(code, "co_names");
	pyobject *table = py.version >= EXCEPTION_TABLES ? attribute(code, "co_exceptiontable") : NULL;
	intptr_t size = 0, table_size = 0;
	if (!bytes || !names || py.PyBytes_AsStringAndSize(bytes, (char **)&view.code, &size) < 0 ||
	    (table && py.PyBytes_AsStringAndSize(table, (char **)&view.exceptions, &table_size) < 0))
		return WEAKCALL_UNDECIDED;
	view.size = (size_t)size;
	view.exceptions_size = (size_t)table_size;
	view.names = names_text;
	for (intptr_t i = 0; i < py.PyTuple_Size(names) && i < NAMES_MAX; i++)
		names_text[view.name_count++] = text_of(py.PyTuple_GetItem(names, i));
	view.flags = (unsigned)number(code, "co_flags");
	view.local_count = (int)number(code, "co_nlocals");
	view.cell_count = (int)size_of(code, "co_cellvars");
	view.free_count = (int)size_of(code, "co_freevars");
	view.local_and_cell_count = local_and_cell_count(code);
	view.context = attribute(code, "co_consts");
	return view.context ? weakcall_decide(&view, sources, count) : WEAKCALL_UNDECIDED;
}

/* The few references taken above die with the frozen copy. */
static bool callable_raises(pyobject *callable)
{
	if (callable->type == py._PyWeakref_CallableProxyType)
		return !weakref_referent(callable);
	struct call call = {.function = callable};
	unwrap(&call);
	if (call.function->type != py.PyFunction_Type)
		return false;
	pyobject *code = py.PyFunction_GetCode(call.function);
	struct weakcall_source sources[SOURCES_MAX];
	unsigned count = find_sources(&call, code, sources);
	count = find_keyword_sources(&call, code, count, sources);
	count = find_global_sources(&call, code, count, sources);
	return count > 0 && decide(code, sources, count) == WEAKCALL_RAISES;
}

bool deadweak_raises(const struct heap_registration *registration)
{
	for (int phase = 0; phase < PHASES; phase++)
		if (registration->callable[phase] && callable_raises(registration->callable[phase]))
			return true;
	return false;
}
