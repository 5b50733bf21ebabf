/* SPDX-License-Identifier: Apache-2.0 */
#include "python/peel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/deadweak.h"
#include "python/globals.h"

/* Enough for every callable seen; beyond it the rest is simply not peeled and its objects are not named as owners. */
#define PEEL_MAX 4096u

struct step {
	pyobject *object;
	bool weak;
};

struct peeler {
	struct heap *heap;
	struct step seen[PEEL_MAX];  /* everything met, in order of position */
	unsigned count;
	unsigned owners[PEEL_MAX];   /* indexes into seen */
	unsigned owner_count;
	pyobject *spaces[PEEL_MAX];
	unsigned space_count;
	bool weak;                   /* a weak reference was met */
	pyobject *module;            /* of a builtin function */
};

static void meet(struct peeler *peeler, pyobject *object, bool weak)
{
	if (!object || peeler->count == PEEL_MAX)
		return;
	for (unsigned i = 0; i < peeler->count; i++) {
		if (peeler->seen[i].object == object) {
			peeler->seen[i].weak &= weak;
			return;
		}
	}
	peeler->seen[peeler->count++] = (struct step){object, weak};
}

static int meet_strong(pyobject *object, void *peeler)
{
	meet(peeler, object, false);
	return 0;
}

static int meet_weak(pyobject *object, void *peeler)
{
	meet(peeler, object, true);
	return 0;
}

static void flag(struct heap *heap, pyobject *object)
{
	uint32_t node = heap_node(heap, object);
	if (node != NODE_NONE)
		heap->graph.flags[node] |= NODE_PLUMBING;
}

/* The parts of a tuple or of a dict's values; the container itself is plumbing. */
static void meet_parts(struct peeler *peeler, pyobject *container, bool weak)
{
	if (!container)
		return;
	flag(peeler->heap, container);
	if (container->type == py.PyTuple_Type) {
		for (intptr_t i = 0; i < py.PyTuple_Size(container); i++)
			meet(peeler, py.PyTuple_GetItem(container, i), weak);
	} else if (container->type == py.PyDict_Type) {
		intptr_t position = 0;
		pyobject *key, *value;
		while (py.PyDict_Next(container, &position, &key, &value))
			meet(peeler, value, weak);
	}
}

bool peel_is_partial(const pyobject *object)
{
	for (const pytype *type = object->type; type; type = type->base)
		if (strcmp(type->name, "functools.partial") == 0)
			return true;
	return false;
}

static void peel_partial(struct peeler *peeler, pyobject *partial, bool weak)
{
	struct peeler *inner = calloc(1, sizeof *inner);
	if (!inner)
		return;
	inner->heap = peeler->heap;
	partial->type->traverse(partial, weak ? meet_weak : meet_strong, inner);
	for (unsigned i = 0; i < inner->count; i++) {
		pyobject *part = inner->seen[i].object;
		if (part->type == py.PyTuple_Type || part->type == py.PyDict_Type)
			meet_parts(peeler, part, weak);
		else
			meet(peeler, part, weak);
	}
	free(inner);
}

static bool is_weakref(const pyobject *object)
{
	return object_is(object, py._PyWeakref_RefType) || object->type == py._PyWeakref_ProxyType ||
	       object->type == py._PyWeakref_CallableProxyType;
}

/* Does the function load the global that its code names at @index, and do more with it than test it? */
static bool uses_global(pyobject *function, uint32_t index)
{
	pyobject *bytes = attribute(py.PyFunction_GetCode(function), "co_code");
	char *code;
	intptr_t size;
	bool used = bytes && py.PyBytes_AsStringAndSize(bytes, &code, &size) == 0 &&
		    globals_used(py.version, (const uint8_t *)code, (size_t)size, index);
	if (bytes)
		py.Py_DecRef(bytes);
	return used;
}

/* Weak references that the code uses from its module: not the callable's own, but what it comes to its object by. */
static void meet_global_weakrefs(struct peeler *peeler, pyobject *function)
{
	pyobject *names = attribute(py.PyFunction_GetCode(function), "co_names");
	pyobject *globals = py.PyFunction_GetGlobals(function);
	for (intptr_t i = 0; names && globals && i < py.PyTuple_Size(names); i++) {
		const char *name = text_of(py.PyTuple_GetItem(names, i));
		pyobject *value = name ? py.PyDict_GetItemString(globals, name) : NULL;
		if (value && is_weakref(value) && uses_global(function, (uint32_t)i))
			meet(peeler, value, true);
	}
	if (names)
		py.Py_DecRef(names);
}

static void meet_space(struct peeler *peeler, pyobject *space)
{
	if (peeler->space_count < PEEL_MAX)
		peeler->spaces[peeler->space_count++] = space;
}

static void peel_function(struct peeler *peeler, pyobject *function, bool weak)
{
	pyobject **attributes = py._PyObject_GetDictPtr(function);
	if (attributes)
		meet_parts(peeler, *attributes, weak);
	if (!weak)
		meet_space(peeler, py.PyFunction_GetGlobals(function));
	meet_parts(peeler, py.PyFunction_GetClosure(function), weak);
	meet_parts(peeler, py.PyFunction_GetDefaults(function), weak);
	meet_parts(peeler, py.PyFunction_GetKwDefaults(function), weak);
	meet_global_weakrefs(peeler, function);
}

static void peel_weakref(struct peeler *peeler, pyobject *reference)
{
	pyobject *referent = weakref_referent(reference);
	peeler->weak = true;
	meet(peeler, referent, true);
}

/* Peel one object: true if it was plumbing. */
static bool peel(struct peeler *peeler, struct step step)
{
	pyobject *object = step.object;
	if (object->type == py.PyMethod_Type) {
		meet(peeler, py.PyMethod_Self(object), step.weak);
		meet(peeler, py.PyMethod_Function(object), step.weak);
	} else if (object_is(object, py.PyCFunction_Type)) {
		pyobject *self = py.PyCFunction_GetSelf(object);
		py.PyErr_Clear();
		if (self && object_is(self, py.PyModule_Type))
			peeler->module = self;
		meet(peeler, self, step.weak);
	} else if (object->type == py.PyFunction_Type) {
		peel_function(peeler, object, step.weak);
	} else if (object->type == py.PyCell_Type || strcmp(object->type->name, "method-wrapper") == 0) {
		object->type->traverse(object, step.weak ? meet_weak : meet_strong, peeler);
	} else if (peel_is_partial(object)) {
		peel_partial(peeler, object, step.weak);
	} else if (is_weakref(object)) {
		peel_weakref(peeler, object);
	} else {
		return false;
	}
	return true;
}

static bool is_space(const pyobject *object)
{
	return object_is(object, py.PyModule_Type) || object_is(object, py.PyType_Type);
}

/* Not an owner: what is not freed by anybody; and, unless report/analysis.c adopts them, namespaces. */
static bool is_nobodys(const pyobject *object)
{
	return object_immortal(object) || object == py._Py_NoneStruct || is_space(object) ||
	       object->type == py.PyCode_Type || object->type == py.PyBool_Type;
}

/* A name or a number beside a real owner is not what somebody looks for. */
static bool is_plain_data(const pyobject *object)
{
	const pytype *type = object->type;
	return type == py.PyUnicode_Type || type == py.PyBytes_Type || type == py.PyLong_Type || type == py.PyFloat_Type ||
	       type == py.PyComplex_Type;
}

static int keep_owners(struct peeler *peeler, struct heap_registration *registration, bool data, bool weak)
{
	registration->owners = malloc((peeler->owner_count + 1) * sizeof *registration->owners);
	if (!registration->owners)
		return -ENOMEM;
	for (unsigned i = 0; i < peeler->owner_count; i++) {
		const struct step *step = &peeler->seen[peeler->owners[i]];
		uint32_t node = heap_node(peeler->heap, step->object);
		if (node != NODE_NONE && step->weak == weak && (data || !is_plain_data(step->object)))
			registration->owners[registration->owner_count++] = node;
	}
	return 0;
}

/* Of everything met, plumbing is peeled further and flagged; what is left are the owners. */
static void peel_all(struct peeler *peeler)
{
	for (unsigned i = 0; i < peeler->count; i++) {
		struct step step = peeler->seen[i];
		if (peel(peeler, step))
			flag(peeler->heap, step.object);
		else if (!is_nobodys(step.object))
			peeler->owners[peeler->owner_count++] = i;
		else if (is_space(step.object) && !step.weak)
			meet_space(peeler, step.object);
	}
}

static int keep_spaces(const struct peeler *peeler, struct heap_registration *registration)
{
	if (!peeler->space_count)
		return 0;
	registration->spaces = malloc(peeler->space_count * sizeof *registration->spaces);
	for (unsigned i = 0; i < peeler->space_count && registration->spaces; i++) {
		uint32_t node = heap_node(peeler->heap, peeler->spaces[i]);
		if (node != NODE_NONE)
			registration->spaces[registration->space_count++] = node;
	}
	return registration->spaces ? 0 : -ENOMEM;
}

static int peel_registration(struct peeler *peeler, struct heap_registration *registration)
{
	peeler->count = peeler->owner_count = peeler->space_count = 0;
	peeler->weak = false;
	peeler->module = NULL;
	for (int phase = 0; phase < PHASES; phase++)
		meet(peeler, registration->callable[phase], false);
	peel_all(peeler);
	bool strong = false, rich = false;
	for (unsigned i = 0; i < peeler->owner_count; i++) {
		const struct step *step = &peeler->seen[peeler->owners[i]];
		bool data = is_plain_data(step->object);
		rich |= !data;
		strong |= !step->weak && (!data || !peeler->weak);
	}
	bool weak = peeler->weak && !strong;
	registration->module_owner = peeler->module;
	if (weak)
		registration->strength = rich ? STRENGTH_WEAK : STRENGTH_DEAD_WEAK;
	if (registration->strength == STRENGTH_DEAD_WEAK)
		registration->raises = deadweak_raises(registration);
	int result = keep_owners(peeler, registration, !rich && !peeler->weak, weak);
	return result < 0 ? result : keep_spaces(peeler, registration);
}

int peel_registrations(struct heap *heap)
{
	struct peeler *peeler = calloc(1, sizeof *peeler);
	int result = peeler ? 0 : -ENOMEM;
	if (peeler)
		peeler->heap = heap;
	for (uint32_t i = 0; i < heap->registration_count && result == 0; i++)
		result = peel_registration(peeler, &heap->registrations[i]);
	free(peeler);
	return result;
}

static bool is_owner(const struct heap_registration *registration, uint32_t node)
{
	for (uint32_t i = 0; i < registration->owner_count; i++)
		if (registration->owners[i] == node)
			return true;
	return false;
}

int peel_adopt(struct heap_registration *registration, uint32_t node)
{
	if (is_owner(registration, node))
		return 0;
	size_t size = (registration->owner_count + (size_t)1) * sizeof *registration->owners;
	void *owners = realloc(registration->owners, size);
	if (!owners)
		return -ENOMEM;
	registration->owners = owners;
	registration->owners[registration->owner_count++] = node;
	registration->strength = STRENGTH_STRONG;
	return 0;
}
