/* SPDX-License-Identifier: Apache-2.0 */
/* describe.h - names for objects, callables and edges: types, attributes and places, never values. Texts are interned
 * (ledger/strings.h). All with the GIL, in the frozen copy; none runs Python code. */
#ifndef PYTHON_DESCRIBE_H
#define PYTHON_DESCRIBE_H
#include "python/capi.h"

struct type_text {
	const char *module;     /* "builtins" for builtin types */
	const char *qualname;
};

struct callable_text {
	const char *type;       /* "method", "function", "functools.partial", ... */
	const char *qualname, *module;
	const char *file;       /* NULL where there is no code object */
	int line;
};

/* describe_type - of the class @type itself. */
struct type_text describe_type(pyobject *type);
/* describe_callable - wrappers (method, partial, builtin method) are described by what they wrap. */
struct callable_text describe_callable(pyobject *callable);
/* describe_edge - how @from refers to @to: ".attribute", "['key']", "[key]", "{set item}", ".__self__", "{cell}"... */
const char *describe_edge(pyobject *from, pyobject *to);
/* describe_module_name - a module's __name__, or "?". */
const char *describe_module_name(pyobject *module);
/* describe_class_path - the module (borrowed, from sys.modules) in which the dotted qualname of @type leads to
 * @type, or NULL where it does not (a class made in a function, or replaced). */
pyobject *describe_class_module(pyobject *type);

#endif
