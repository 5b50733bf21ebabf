/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "python/attach.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/guard.h"
#include "base/os.h"
#include "ledger/forks.h"
#include "ledger/stacks.h"
#include "python/capi.h"
#include "python/codes.h"
#include "python/frames.h"
#include "python/interpreters.h"
#include "python/objects.h"

struct inittab_entry {
	const char *name;
	pyobject *(*init)(void);
};

/* PyModuleDef, from its start: the head of 40 bytes, then name, doc, size, methods, slots. */
struct module_def {
	pyobject head;
	void *base[3];
	const char *name, *doc;
	intptr_t size;
	struct method_def *methods;
	struct module_slot *slots;
};

static pyobject *(*real_init)(void);
static fastcall_fn real_register;
static int (*real_exec)(pyobject *module);
static cfunction_fn import_lock_held;
static _Atomic bool attached;
static _Atomic pid_t process;  /* the pid as Python's own fork code would know it */
static const char *problem;
static __thread unsigned forking __attribute__((tls_model("initial-exec")));  /* inside os.fork and its callables */

const char *attach_problem(void)
{
	return capi_problem() ? capi_problem() : problem;
}

static void record(pyobject *const *arguments, pyobject *names)
{
	static const char *const keywords[PHASES] = {"before", "after_in_parent", "after_in_child"};
	struct registration model = {
		.kind = REGISTRATION_PYTHON,
		.in_handler = forking > 0,
		.interpreter = interpreters_current(),
		.handle_module = MODULE_NONE,
		.caller_module = MODULE_NONE,
		.native_stack = STACK_NONE,
	};
	intptr_t count = py.PyTuple_Size(names);
	for (intptr_t i = 0; i < count; i++) {
		pyobject *name = py.PyTuple_GetItem(names, i);
		for (int phase = 0; phase < PHASES; phase++)
			if (py.PyUnicode_CompareWithASCIIString(name, keywords[phase]) == 0)
				model.callable[phase] = (uintptr_t)arguments[i];
	}
	for (int phase = 0; phase < PHASES; phase++)
		model.code_module[phase] = MODULE_NONE;
	forks_python(model.interpreter, &model.at);
	model.stack = frames_here(&model.standard);
	registrations_add(&model);
}

/* What os.register_at_fork runs now: the real function decides and raises; what it took is recorded. */
static pyobject *register_at_fork(pyobject *module, pyobject *const *arguments, intptr_t count, pyobject *names)
{
	pyobject *result = real_register(module, arguments, count, names);
	if (result && names && guard_enter())
		record(arguments + count, names);
	if (result && names)
		guard_leave();
	return result;
}

static void find_import_lock(void)
{
	pyobject *imp = import_lock_held ? NULL : py.PyImport_ImportModule("_imp");
	pyobject *function = imp ? attribute(imp, "lock_held") : NULL;
	if (function && function->type == py.PyCFunction_Type)
		import_lock_held = py.PyCFunction_GetFunction(function);
	py.PyErr_Clear();
	if (function)
		py.Py_DecRef(function);
	if (imp)
		py.Py_DecRef(imp);
}

/* The posix module's exec slot runs once for each interpreter. */
static int posix_exec(pyobject *module)
{
	int result = real_exec(module);
	if (result == 0) {
		interpreters_begin(module, real_register);
		find_import_lock();
		atomic_store(&process, os_getpid());
		atomic_store(&attached, true);
	}
	return result;
}

/* Tables of CPython are writable data today; should one become constant, say so instead of dying. The kernel writes the
 * signal mask where it may write at all: nobody reads the slot before it has its value. */
static bool poke(void **slot, void *value)
{
	if (os_call(SYS_rt_sigprocmask, 0, 0, (long)slot, sizeof *slot, 0, 0) < 0)
		return false;
	*slot = value;
	return true;
}

/* os.fork and its like run the callables themselves, outside libc's fork: what registers meanwhile does so in a
 * handler. */
#define FORKERS(X) X(0, "fork") X(1, "fork1") X(2, "forkpty")
static cfunction_fn real_forkers[3];
#define FORKER(index, name) \
	static pyobject *forker_##index(pyobject *module, pyobject *nothing) \
	{ \
		forking++; \
		pyobject *result = real_forkers[index](module, nothing); \
		forking--; \
		return result; \
	}
FORKERS(FORKER)
static const struct {
	const char *name;
	cfunction_fn function;
} forkers[] = {
#define FORKER_ENTRY(index, name) {name, forker_##index},
	FORKERS(FORKER_ENTRY)
};

static struct method_def *find_method(struct method_def *method, const char *name, int flags)
{
	while (method && method->name && strcmp(method->name, name) != 0)
		method++;
	return method && method->name && method->flags == flags ? method : NULL;
}

static void patch_forkers(struct method_def *methods)
{
	for (unsigned i = 0; i < sizeof forkers / sizeof *forkers; i++) {
		struct method_def *method = find_method(methods, forkers[i].name, METH_NOARGS_FLAG);
		if (!method)
			continue;
		real_forkers[i] = (cfunction_fn)method->function;
		poke(&method->function, (void *)forkers[i].function);
	}
}

static bool patch_definition(struct module_def *definition)
{
	struct method_def *method = find_method(definition->methods, "register_at_fork", METH_FASTCALL_KEYWORDS);
	struct module_slot *slot = definition->slots;
	while (slot && slot->id && slot->id != SLOT_EXEC && slot->id != SLOT_EXEC_315)
		slot++;
	if (!method || !slot || !slot->id)
		return false;
	if (method->function == (void *)register_at_fork)
		return true;
	real_register = (fastcall_fn)method->function;
	real_exec = (int (*)(pyobject *))slot->value;
	if (!poke(&slot->value, (void *)posix_exec) || !poke(&method->function, (void *)register_at_fork))
		return false;
	patch_forkers(definition->methods);
	return true;
}

static void *(*look_up)(const char *name);

static pyobject *posix_init(void)
{
	int before = errno;
	objects_attach(look_up);
	errno = before;
	pyobject *definition = real_init();
	if (!definition)
		return NULL;
	int saved = errno;
	if (definition->type != py.PyModuleDef_Type || !patch_definition((struct module_def *)definition))
		problem = "os.register_at_fork was not found where this CPython version should have it";
	errno = saved;
	return definition;
}

static void *default_symbol(const char *name)
{
	return dlsym(RTLD_DEFAULT, name);
}

static bool patch_inittab(struct inittab_entry *entry)
{
	for (; entry && entry->name; entry++) {
		if (strcmp(entry->name, "posix") != 0)
			continue;
		if (entry->init == posix_init)
			return true;
		real_init = entry->init;
		return poke((void **)&entry->init, (void *)posix_init);
	}
	return false;
}

static bool attach(void *(*symbol)(const char *name))
{
	struct inittab_entry **table = symbol("PyImport_Inittab");
	if (!table)
		return false;
	if (!capi_load(symbol))
		return true;
	look_up = symbol;
	if (!patch_inittab(*table))
		problem = "the table of builtin modules has no posix entry that can be replaced";
	return true;
}

void python_init(void (*at_exit)(void))
{
	int saved = errno;
	interpreters_at_exit(at_exit);
	attach(default_symbol);
	errno = saved;
}

static void *late_library;

static void *late_symbol(const char *name)
{
	return dlsym(late_library, name);
}

void python_late(const char *library)
{
	int saved = errno;
	if (!py.version && !attach(default_symbol) && library) {
		/* Never given back: our tables point into it from now on. */
		late_library = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
		if (late_library)
			attach(late_symbol);
	}
	errno = saved;
}

bool python_present(void)
{
	return py.version != 0;
}

static bool finalizing(void)
{
	return py.Py_IsFinalizing ? py.Py_IsFinalizing() : py._Py_IsFinalizing && py._Py_IsFinalizing();
}

bool python_can_look(void)
{
	if (capi_problem() || !py.Py_IsInitialized() || finalizing())
		return false;
	/* PyGILState_Check says 1 after finalisation, and always once there are sub-interpreters: demand a thread
	 * state too. */
	void *current = capi_current();
	if (!current || !py.PyGILState_Check())
		return false;
	return py.version >= 0x030c || current == py.PyGILState_GetThisThreadState();
}

int python_lock(void)
{
	if (capi_problem() || !py.Py_IsInitialized())
		return -1;
	if (python_can_look())
		return 0;
	if (finalizing())
		return -1;
	return 1 + py.PyGILState_Ensure();
}

void python_unlock(int token)
{
	if (token > 0)
		py.PyGILState_Release(token - 1);
}

uint32_t python_fork_interpreter(void)
{
	if (!atomic_load(&attached) || !import_lock_held || !python_can_look())
		return INTERPRETER_NONE;
	/* PyOS_BeforeFork takes the import lock after it has run the callables; other code that forks does not hold
	 * it. */
	pyobject *held = import_lock_held(NULL, NULL);
	bool yes = held && py.PyObject_IsTrue(held) == 1;
	if (held)
		py.Py_DecRef(held);
	return yes ? interpreters_current() : INTERPRETER_NONE;
}

bool python_here(void)
{
	return atomic_load(&attached) && atomic_load(&process) == os_getpid();
}

void python_child(uint32_t interpreter)
{
	codes_child();
	if (interpreter != INTERPRETER_NONE)
		atomic_store(&process, os_getpid());
}
