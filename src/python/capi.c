/* SPDX-License-Identifier: Apache-2.0 */
#include "python/capi.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/strings.h"

#define OLDEST 0x0309
#define NEWEST 0x030f

struct capi py;
static const char *problem = "no CPython in this process";

static unsigned parse_version(const char *text)
{
	char *end;
	unsigned long major = strtoul(text, &end, 10);
	if (*end != '.' || major > 255)
		return 0;
	unsigned long minor = strtoul(end + 1, &end, 10);
	return minor > 255 ? 0 : (unsigned)(major << 8 | minor);
}

bool capi_load(void *(*symbol)(const char *name))
{
	py.Py_GetVersion = symbol("Py_GetVersion");
	if (!py.Py_GetVersion)
		return false;
	const char *text = py.Py_GetVersion();
	py.version = parse_version(text);
	py.version_text = strings_intern_n(text, strcspn(text, " "));
	py.free_threaded = strstr(text, "free-threading") != NULL;
	if (py.version < OLDEST || py.version > NEWEST) {
		problem = "this CPython version is not supported (3.9 to 3.15 are)";
		return false;
	}
	if (py.free_threaded) {
		problem = "free-threaded CPython is not supported";
		return false;
	}
	const char *missing = NULL;
#define LOAD(result, name, arguments) if (!(py.name = symbol(#name))) missing = #name;
#define LOAD_OPTIONAL(result, name, arguments) py.name = symbol(#name);
#define LOAD_TYPE(name) if (!(py.name = symbol(#name))) missing = #name;
	CAPI_FUNCTIONS(LOAD)
	CAPI_OPTIONAL(LOAD_OPTIONAL)
	CAPI_TYPES(LOAD_TYPE)
	if (!(py._Py_NoneStruct = symbol("_Py_NoneStruct")))
		missing = "_Py_NoneStruct";
	if (!py.PyThreadState_GetUnchecked && !py._PyThreadState_UncheckedGet)
		missing = "PyThreadState_GetUnchecked";
	if (missing) {
		problem = "this CPython does not export a function that is needed";
		return false;
	}
	problem = NULL;
	return true;
}

const char *capi_problem(void)
{
	return problem;
}

void *capi_current(void)
{
	return py.PyThreadState_GetUnchecked ? py.PyThreadState_GetUnchecked() : py._PyThreadState_UncheckedGet();
}

pyobject *weakref_referent(pyobject *reference)
{
	/* wr_object follows the head in every version; a dead reference has None there, which is nobody's referent. */
	pyobject *referent = ((pyobject **)(reference + 1))[0];
	return referent == py._Py_NoneStruct ? NULL : referent;
}

const char *text_of(pyobject *object)
{
	if (!object || !object_is(object, py.PyUnicode_Type))
		return NULL;
	intptr_t size;
	const char *text = py.PyUnicode_AsUTF8AndSize(object, &size);
	if (!text) {
		py.PyErr_Clear();
		return NULL;
	}
	return strings_intern_n(text, (size_t)size);
}

pyobject *attribute(pyobject *object, const char *name)
{
	/* Not PyObject_GetAttrString: CPython's cache of type attributes would keep each of its passing strings. */
	pyobject *text = py.PyUnicode_InternFromString(name);
	pyobject *value = text ? py.PyObject_GetAttr(object, text) : NULL;
	if (text)
		py.Py_DecRef(text);
	if (!value)
		py.PyErr_Clear();
	return value;
}

const char *attribute_text(pyobject *object, const char *name)
{
	pyobject *value = attribute(object, name);
	const char *text = value ? text_of(value) : NULL;
	if (value)
		py.Py_DecRef(value);
	return text;
}
