/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capi.h - the part of CPython that we use, resolved at run time: one binary for all versions, nothing linked.
 *
 * Only GIL builds of 64-bit CPython 3.9 to 3.15 share the object layouts below (checked by capi_load); others are named
 * in capi_problem().
 */
#ifndef PYTHON_CAPI_H
#define PYTHON_CAPI_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pytype pytype;
typedef struct pyobject {
	int64_t refcount;  /* read it through object_refcount only */
	pytype *type;
} pyobject;

typedef int (*visit_fn)(pyobject *, void *);

/* PyTypeObject, the fields that have not moved since 3.9. */
struct pytype {
	pyobject head;
	intptr_t size;
	const char *name;
	intptr_t basic_size, item_size;
	void *unused1[15];
	unsigned long flags;
	const char *doc;
	int (*traverse)(pyobject *, visit_fn, void *);
	void *unused2[8];
	pytype *base;
	pyobject *dict;
	void *unused3[2];
	intptr_t dict_offset;
	void *unused4[4];
	int (*is_gc)(pyobject *);
	pyobject *bases, *mro;
};

_Static_assert(offsetof(struct pytype, flags) == 168 && offsetof(struct pytype, traverse) == 184 &&
	       offsetof(struct pytype, base) == 256 && offsetof(struct pytype, dict) == 264 &&
	       offsetof(struct pytype, dict_offset) == 288 && offsetof(struct pytype, is_gc) == 328 &&
	       offsetof(struct pytype, mro) == 344, "PyTypeObject of CPython 3.9 to 3.15");

#define TYPE_HEAPTYPE (1ul << 9)
#define TYPE_HAVE_GC (1ul << 14)

/* PyMethodDef and PyModuleDef_Slot. */
typedef pyobject *(*fastcall_fn)(pyobject *, pyobject *const *, intptr_t, pyobject *);
typedef pyobject *(*cfunction_fn)(pyobject *, pyobject *);
struct method_def {
	const char *name;
	void *function;
	int flags;
	const char *doc;
};
/* PyModuleDef_Slot up to 3.14 (an int and a pointer), PySlot from 3.15 on. */
struct module_slot {
	uint16_t id, flags;
	uint32_t reserved;
	void *value;
};
/* PyMemAllocatorEx. */
struct allocator {
	void *context;
	void *(*malloc)(void *context, size_t size);
	void *(*calloc)(void *context, size_t count, size_t size);
	void *(*realloc)(void *context, void *block, size_t size);
	void (*free)(void *context, void *block);
};
#define METH_NOARGS_FLAG 0x0004
#define METH_FASTCALL_KEYWORDS 0x0082
#define SLOT_EXEC 2
#define SLOT_EXEC_315 85

/* X(result, name, arguments): functions that every supported version exports. */
#define CAPI_FUNCTIONS(X) \
	X(int, Py_IsInitialized, (void)) \
	X(const char *, Py_GetVersion, (void)) \
	X(int, PyGILState_Check, (void)) \
	X(int, PyGILState_Ensure, (void)) \
	X(void, PyGILState_Release, (int)) \
	X(void *, PyGILState_GetThisThreadState, (void)) \
	X(void *, PyInterpreterState_Get, (void)) \
	X(void *, PyInterpreterState_Main, (void)) \
	X(int64_t, PyInterpreterState_GetID, (void *)) \
	X(pyobject *, PyImport_ImportModule, (const char *)) \
	X(pyobject *, PyImport_GetModuleDict, (void)) \
	X(pyobject *, PyObject_GetAttr, (pyobject *, pyobject *)) \
	X(pyobject *, PyObject_CallObject, (pyobject *, pyobject *)) \
	X(pyobject *, PyObject_CallFunctionObjArgs, (pyobject *, ...)) \
	X(int, PyObject_IsTrue, (pyobject *)) \
	X(pyobject *, PyObject_GenericGetDict, (pyobject *, void *)) \
	X(pyobject **, _PyObject_GetDictPtr, (pyobject *)) \
	X(void, Py_IncRef, (pyobject *)) \
	X(void, Py_DecRef, (pyobject *)) \
	X(void, PyErr_Clear, (void)) \
	X(pyobject *, PyErr_Occurred, (void)) \
	X(void, PyErr_Fetch, (pyobject **, pyobject **, pyobject **)) \
	X(void, PyErr_Restore, (pyobject *, pyobject *, pyobject *)) \
	X(pyobject *, PyCFunction_NewEx, (struct method_def *, pyobject *, pyobject *)) \
	X(pyobject *, PyCFunction_GetSelf, (pyobject *)) \
	X(cfunction_fn, PyCFunction_GetFunction, (pyobject *)) \
	X(intptr_t, PyList_Size, (pyobject *)) \
	X(pyobject *, PyList_GetItem, (pyobject *, intptr_t)) \
	X(int, PyList_SetSlice, (pyobject *, intptr_t, intptr_t, pyobject *)) \
	X(intptr_t, PyTuple_Size, (pyobject *)) \
	X(pyobject *, PyTuple_GetItem, (pyobject *, intptr_t)) \
	X(pyobject *, PyTuple_Pack, (intptr_t, ...)) \
	X(intptr_t, PyDict_Size, (pyobject *)) \
	X(int, PyDict_Next, (pyobject *, intptr_t *, pyobject **, pyobject **)) \
	X(pyobject *, PyDict_GetItemString, (pyobject *, const char *)) \
	X(int, PyDict_DelItemString, (pyobject *, const char *)) \
	X(pyobject *, PyUnicode_InternFromString, (const char *)) \
	X(int, PyUnicode_CompareWithASCIIString, (pyobject *, const char *)) \
	X(const char *, PyUnicode_AsUTF8AndSize, (pyobject *, intptr_t *)) \
	X(int, PyUnicode_IsIdentifier, (pyobject *)) \
	X(int, PyBytes_AsStringAndSize, (pyobject *, char **, intptr_t *)) \
	X(long, PyLong_AsLong, (pyobject *)) \
	X(size_t, PyLong_AsSize_t, (pyobject *)) \
	X(pyobject *, PyModule_GetDict, (pyobject *)) \
	X(const char *, PyModule_GetName, (pyobject *)) \
	X(pyobject *, PyMethod_Function, (pyobject *)) \
	X(pyobject *, PyMethod_Self, (pyobject *)) \
	X(pyobject *, PyFunction_GetCode, (pyobject *)) \
	X(pyobject *, PyFunction_GetGlobals, (pyobject *)) \
	X(pyobject *, PyFunction_GetClosure, (pyobject *)) \
	X(pyobject *, PyFunction_GetDefaults, (pyobject *)) \
	X(pyobject *, PyFunction_GetKwDefaults, (pyobject *)) \
	X(pyobject *, PyEval_GetFrame, (void)) \
	X(pyobject *, PyFrame_GetBack, (pyobject *)) \
	X(pyobject *, PyFrame_GetCode, (pyobject *)) \
	X(int, PyFrame_GetLineNumber, (pyobject *)) \
	X(int, PyCode_Addr2Line, (pyobject *, int)) \
	X(intptr_t, PyUnicode_GetLength, (pyobject *)) \
	X(uint32_t, PyUnicode_ReadChar, (pyobject *, intptr_t)) \
	X(void, PyMem_GetAllocator, (int, struct allocator *)) \
	X(void, PyMem_SetAllocator, (int, struct allocator *)) \
	X(void *, PyObject_Malloc, (size_t)) \
	X(void, PyObject_Free, (void *))

/* Functions that only some versions have; NULL elsewhere. */
#define CAPI_OPTIONAL(X) \
	X(void *, PyThreadState_GetUnchecked, (void)) \
	X(void *, _PyThreadState_UncheckedGet, (void)) \
	X(int, Py_IsFinalizing, (void)) \
	X(int, _Py_IsFinalizing, (void)) \
	X(void, PyUnstable_GC_VisitObjects, (int (*)(pyobject *, void *), void *)) \
	X(size_t, _PySys_GetSizeOf, (pyobject *)) \
	X(void *, PyInterpreterState_ThreadHead, (void *)) \
	X(void *, PyThreadState_Next, (void *)) \
	X(pyobject *, PyThreadState_GetFrame, (void *)) \
	X(pyobject *, PyDict_New, (void)) \
	X(int, PyDict_Update, (pyobject *, pyobject *)) \
	X(pyobject *, PyType_GetDict, (pyobject *)) \
	X(pyobject *, _PyType_Lookup, (pyobject *, pyobject *)) \
	X(const char *, _PyMem_GetCurrentAllocatorName, (void)) \
	X(pyobject *, _PyEval_EvalFrameDefault, (void *, void *, int))

/* Data: builtin types, compared by address. */
#define CAPI_TYPES(X) \
	X(PyModule_Type) X(PyModuleDef_Type) X(PyType_Type) X(PyMethod_Type) X(PyFunction_Type) X(PyCFunction_Type) \
	X(PyCell_Type) X(PyTuple_Type) X(PyDict_Type) X(PyList_Type) X(PySet_Type) X(PyFrozenSet_Type) \
	X(PyCode_Type) X(PyFrame_Type) X(PyGen_Type) X(PyCoro_Type) X(PyAsyncGen_Type) X(_PyWeakref_RefType) \
	X(_PyWeakref_ProxyType) X(_PyWeakref_CallableProxyType) X(PyMemberDescr_Type) X(PyMethodDescr_Type) \
	X(PyUnicode_Type) X(PyBytes_Type) X(PyByteArray_Type) X(PyLong_Type) X(PyFloat_Type) X(PyBool_Type) \
	X(PyComplex_Type)

#define CAPI_FUNCTION_FIELD(result, name, arguments) result (*name) arguments;
#define CAPI_TYPE_FIELD(name) pytype *name;
struct capi {
	unsigned version;        /* 0x030b for 3.11; 0 while not loaded */
	const char *version_text;  /* "3.11.7" */
	bool free_threaded;
	CAPI_FUNCTIONS(CAPI_FUNCTION_FIELD)
	CAPI_OPTIONAL(CAPI_FUNCTION_FIELD)
	CAPI_TYPES(CAPI_TYPE_FIELD)
	pyobject *_Py_NoneStruct;
};

extern struct capi py;

/* capi_load - resolve everything through @symbol (name -> address or NULL). Call once, before the interpreter starts
 * (no C API function that needs one is called). Return: true if this CPython can be looked into. */
bool capi_load(void *(*symbol)(const char *name));
/* capi_problem - why not, or NULL. */
const char *capi_problem(void);

/* capi_current - the thread state that is current, or NULL. In 3.9 - 3.11 that may be another thread's. */
void *capi_current(void);

/* Objects. All only with the GIL held, or in the frozen copy. */

/* object_refcount - the reference count proper; object_immortal: it never ends (3.12+), whatever the count says. */
/* From this version on the lower half of the count is the count, negative for an immortal object. */
#define SPLIT_COUNT 0x030c
static inline int64_t object_refcount(const pyobject *object)
{
	return py.version >= SPLIT_COUNT ? (int64_t)(uint32_t)object->refcount : object->refcount;
}
static inline bool object_immortal(const pyobject *object)
{
	return py.version >= SPLIT_COUNT && (int32_t)object->refcount < 0;
}

/* type_inherits - is @type @base or a subclass of it (single-inheritance chain of layouts, tp_base)? */
static inline bool type_inherits(const pytype *type, const pytype *base)
{
	while (type && type != base)
		type = type->base;
	return type != NULL;
}
static inline bool object_is(const pyobject *object, const pytype *base)
{
	return object->type == base || type_inherits(object->type, base);
}
/* object_traversed - does tp_traverse apply (PyObject_IS_GC; a static type must not be traversed)? */
static inline bool object_traversed(pyobject *object)
{
	const pytype *type = object->type;
	return (type->flags & TYPE_HAVE_GC) && type->traverse && (!type->is_gc || type->is_gc(object));
}
/* weakref_referent - what a weak reference or proxy refers to; NULL when that is gone. Borrowed. */
pyobject *weakref_referent(pyobject *reference);

/* text_of - UTF-8 of a str (exact or subclass), interned in the ledger; NULL for anything else. */
const char *text_of(pyobject *object);
/* attribute - getattr that clears its own error; a new reference or NULL. Only for types whose getters are C. */
pyobject *attribute(pyobject *object, const char *name);
/* attribute_text - text_of(attribute()), reference dropped. */
const char *attribute_text(pyobject *object, const char *name);

#endif
