/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "python/weakcall_machine.h"

#define CATCHES_ORDINARY (RAISED_TYPE | RAISED_ATTRIBUTE | RAISED_ASSERTION)

static const struct {
	const char *name;
	uint8_t value;
} globals[] = {
	{"TypeError", VALUE_CLASS | RAISED_TYPE},
	{"AttributeError", VALUE_CLASS | RAISED_ATTRIBUTE},
	{"AssertionError", VALUE_CLASS | RAISED_ASSERTION},
	{"Exception", VALUE_CLASS | CATCHES_ORDINARY},
	{"BaseException", VALUE_CLASS | CATCHES_ORDINARY | RAISED_OTHER},
	{"ValueError", VALUE_CLASS}, {"RuntimeError", VALUE_CLASS}, {"ReferenceError", VALUE_CLASS},
	{"OSError", VALUE_CLASS}, {"KeyError", VALUE_CLASS}, {"IndexError", VALUE_CLASS},
	{"LookupError", VALUE_CLASS}, {"NameError", VALUE_CLASS}, {"ImportError", VALUE_CLASS},
	{"NotImplementedError", VALUE_CLASS}, {"StopIteration", VALUE_CLASS}, {"KeyboardInterrupt", VALUE_CLASS},
	{"SystemExit", VALUE_CLASS},
	{"callable", VALUE_CALLABLE},
	{"bool", VALUE_BOOL},
};

uint8_t weakcall_global(const char *name)
{
	for (size_t i = 0; i < sizeof(globals) / sizeof(*globals); i++)
		if (strcmp(globals[i].name, name) == 0)
			return globals[i].value;
	return VALUE_ANY;
}

int weakcall_none_lacks(const char *name)
{
	static const char *const has[] = {
		"__bool__", "__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__",
		"__getattribute__", "__gt__", "__hash__", "__init__", "__init_subclass__", "__le__", "__lt__", "__ne__",
		"__new__", "__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__sizeof__", "__str__",
		"__subclasshook__",
	};
	for (size_t i = 0; i < sizeof(has) / sizeof(*has); i++)
		if (strcmp(has[i], name) == 0)
			return 0;
	return strcmp(name, "__getstate__") == 0 ? -1 : 1; /* 3.11+ */
}

int weakcall_catches(uint8_t class_value, uint8_t raised_value)
{
	if (!(class_value & VALUE_CLASS))
		return -1;
	uint8_t caught = class_value & VALUE_MASK;
	if (caught & RAISED_OTHER)
		return 1;
	uint8_t raised = raised_value & VALUE_RAISED ? raised_value & VALUE_MASK : RAISED_FOREIGN;
	if (raised & (RAISED_OTHER | RAISED_FOREIGN))
		return -1;
	return (caught & raised) != 0;
}
