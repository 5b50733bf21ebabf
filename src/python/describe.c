/* SPDX-License-Identifier: Apache-2.0 */
#include "python/describe.h"

#include <stdio.h>
#include <string.h>

#include "ledger/strings.h"
#include "python/deadweak.h"

/* Builtin types of 3.12+ keep theirs in the interpreter. The reference that the getter gives dies with the frozen
 * copy. */
static pyobject *class_dict(pyobject *type)
{
	if (!((pytype *)type)->dict && py.PyType_GetDict)
		return py.PyType_GetDict(type);
	return ((pytype *)type)->dict;
}

/* Heap types keep their names in their dict and a C field that only getters know; "type"'s own getters are C. */
static const char *type_attribute(pyobject *type, const char *name)
{
	pyobject *getset = py.PyDict_GetItemString(class_dict((pyobject *)py.PyType_Type), name);
	if (!getset)
		return NULL;
	pyobject *value = py.PyObject_CallFunctionObjArgs(attribute(getset, "__get__"), type, NULL);
	const char *text = value ? text_of(value) : NULL;
	py.PyErr_Clear();
	return text;
}

struct type_text describe_type(pyobject *type)
{
	const char *name = ((pytype *)type)->name, *dot = strrchr(name, '.');
	struct type_text text = {.module = strings_intern("builtins"), .qualname = strings_intern(dot ? dot + 1 : name)};
	if (!(((pytype *)type)->flags & TYPE_HEAPTYPE)) {
		if (dot)
			text.module = strings_intern_n(name, (size_t)(dot - name));
		return text;
	}
	pyobject *dict = class_dict(type);
	const char *module = dict ? text_of(py.PyDict_GetItemString(dict, "__module__")) : NULL;
	const char *qualname = type_attribute(type, "__qualname__");
	if (module)
		text.module = module;
	if (qualname)
		text.qualname = qualname;
	return text;
}

static const char *join(const char *first, const char *separator, const char *second)
{
	char text[1024];
	snprintf(text, sizeof text, "%s%s%s", first ? first : "?", separator, second ? second : "?");
	return strings_intern(text);
}

static const char *type_name(pyobject *object)
{
	struct type_text text = describe_type((pyobject *)object->type);
	return strcmp(text.module, "builtins") == 0 ? text.qualname : join(text.module, ".", text.qualname);
}

static void describe_function(struct callable_text *text, pyobject *function)
{
	pyobject *code = py.PyFunction_GetCode(function);
	text->qualname = attribute_text(function, "__qualname__");
	text->module = attribute_text(function, "__module__");
	text->file = attribute_text(code, "co_filename");
	pyobject *line = attribute(code, "co_firstlineno");
	text->line = line ? (int)py.PyLong_AsLong(line) : 0;
	if (line)
		py.Py_DecRef(line);
}

static int find_wrapped(pyobject *object, void *found)
{
	pyobject **wrapped = found;
	if (!*wrapped && (object->type == py.PyFunction_Type || object->type == py.PyMethod_Type ||
			  object_is(object, py.PyCFunction_Type)))
		*wrapped = object;
	return 0;
}

struct callable_text describe_callable(pyobject *callable)
{
	struct callable_text text = {.type = type_name(callable)};
	pyobject *inner = callable;
	if (peel_is_partial(inner)) {
		pyobject *wrapped = NULL;
		inner->type->traverse(inner, find_wrapped, &wrapped);
		inner = wrapped ? wrapped : inner;
	}
	if (inner->type == py.PyMethod_Type)
		inner = py.PyMethod_Function(inner);
	struct type_text type = describe_type((pyobject *)inner->type);
	text.qualname = type.qualname;
	text.module = type.module;
	if (inner->type == py.PyFunction_Type) {
		describe_function(&text, inner);
	} else if (object_is(inner, py.PyCFunction_Type)) {
		text.qualname = attribute_text(inner, "__name__");
		pyobject *self = py.PyCFunction_GetSelf(inner);
		py.PyErr_Clear();
		if (self && object_is(self, py.PyModule_Type)) {
			text.module = describe_module_name(self);
		} else if (self) {
			type = describe_type((pyobject *)self->type);
			text.qualname = join(type.qualname, ".", text.qualname);
			text.module = type.module;
		}
	}
	return text;
}

const char *describe_module_name(pyobject *module)
{
	pyobject *dict = py.PyModule_GetDict(module);
	const char *name = dict ? text_of(py.PyDict_GetItemString(dict, "__name__")) : NULL;
	return name ? name : "?";
}

/* Follow "Outer.Inner" from the module's dict through class dicts. */
pyobject *describe_class_module(pyobject *type)
{
	struct type_text text = describe_type(type);
	pyobject *modules = py.PyImport_GetModuleDict();
	pyobject *module = modules ? py.PyDict_GetItemString(modules, text.module) : NULL;
	if (!module || !object_is(module, py.PyModule_Type))
		return NULL;
	pyobject *dict = py.PyModule_GetDict(module), *found = NULL;
	for (const char *part = text.qualname; part && dict; part = *part ? part + 1 : NULL) {
		size_t length = strcspn(part, ".");
		found = py.PyDict_GetItemString(dict, strings_intern_n(part, length));
		dict = found && object_is(found, py.PyType_Type) ? class_dict(found) : NULL;
		part += length;
		if (!*part)
			break;
	}
	return found == type ? module : NULL;
}

static const char *key_text(pyobject *key, const char *before, const char *after)
{
	char text[1024];
	if (!object_is(key, py.PyUnicode_Type) || !py.PyUnicode_IsIdentifier(key))
		return strings_intern("[key]");
	snprintf(text, sizeof text, "%s%s%s", before, text_of(key), after);
	return strings_intern(text);
}

/* Finding a value's key means looking through the dict: ten thousand objects in one large dict would take minutes. */
#define DICT_STEPS_MAX 20000000u

static const char *dict_edge(pyobject *dict, pyobject *to, const char *before, const char *after)
{
	static uint32_t steps;
	intptr_t position = 0;
	pyobject *key, *value;
	while (py.PyDict_Next(dict, &position, &key, &value)) {
		if (++steps > DICT_STEPS_MAX)
			return strings_intern("[key]");
		if (value == to)
			return key_text(key, before, after);
		if (key == to)
			return strings_intern("{dict key}");
	}
	return NULL;
}

/* struct PyMemberDef behind a member descriptor: name, type, offset. */
struct member_def {
	const char *name;
	int type;
	intptr_t offset;
};

static const char *slot_edge(pyobject *from, pyobject *to)
{
	for (const pytype *type = from->type; type; type = type->base) {
		intptr_t position = 0;
		pyobject *key, *value;
		while (type->dict && py.PyDict_Next(type->dict, &position, &key, &value)) {
			if (value->type != py.PyMemberDescr_Type)
				continue;
			/* PyDescrObject: head, type, name, qualname; then d_member */
			const struct member_def *member = ((const struct member_def **)(value + 1))[3];
			if (member && (member->type == 6 || member->type == 16) &&
			    *(pyobject **)((char *)from + member->offset) == to)
				return key_text(key, ".", "");
		}
	}
	return NULL;
}

static const char *instance_edge(pyobject *from, pyobject *to)
{
	pyobject *dict = NULL;
	if (from->type->dict_offset || (from->type->flags & 1ul << 4))  /* a __dict__, materialised or inline */
		dict = py.PyObject_GenericGetDict(from, NULL);
	py.PyErr_Clear();
	if (dict == to)
		return strings_intern(".__dict__");
	const char *label = dict && object_is(dict, py.PyDict_Type) ? dict_edge(dict, to, ".", "") : NULL;
	return label ? label : slot_edge(from, to);
}

static const char *item_label(pyobject *container)
{
	return join(join("{", describe_type((pyobject *)container->type).qualname, " item"), "", "}");
}

static const char *plain_edge(pyobject *from, pyobject *to)
{
	const pytype *type = from->type;
	if ((pyobject *)type == to)
		return strings_intern(".__class__");
	if (type == py.PyMethod_Type)
		return strings_intern(py.PyMethod_Self(from) == to ? ".__self__" : ".__func__");
	if (type == py.PyCell_Type)
		return strings_intern("{cell}");
	if (type == py.PyFrame_Type)
		return strings_intern("{local}");
	if (type == py.PyModule_Type)
		return strings_intern(".__dict__");
	if (type == py.PyFunction_Type) {
		if (py.PyFunction_GetClosure(from) == to)
			return strings_intern(".__closure__");
		if (py.PyFunction_GetDefaults(from) == to)
			return strings_intern(".__defaults__");
		if (py.PyFunction_GetKwDefaults(from) == to)
			return strings_intern(".__kwdefaults__");
		return NULL;
	}
	if (object_is(from, py.PyCFunction_Type) || strcmp(type->name, "method-wrapper") == 0)
		return strings_intern(".__self__");
	return NULL;
}

const char *describe_edge(pyobject *from, pyobject *to)
{
	const char *label = plain_edge(from, to);
	if (!label && object_is(from, py.PyDict_Type))
		label = dict_edge(from, to, "['", "']");
	if (!label && (object_is(from, py.PyType_Type)) && class_dict(from) == to)
		label = strings_intern(".__dict__");
	if (!label && (object_is(from, py.PyList_Type) || object_is(from, py.PyTuple_Type) ||
		       object_is(from, py.PySet_Type) || object_is(from, py.PyFrozenSet_Type) ||
		       strcmp(from->type->name, "collections.deque") == 0))
		label = instance_edge(from, to) ? instance_edge(from, to) : item_label(from);
	if (!label)
		label = instance_edge(from, to);
	return label ? label : join(join("{", describe_type((pyobject *)from->type).qualname, " referent"), "", "}");
}
