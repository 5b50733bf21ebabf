/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "entry/atfork.h"
#include <dlfcn.h>
#include <errno.h>
#include <pty.h>
#include <stdint.h>
#include <unistd.h>
#include "base/guard.h"
#include "base/lock.h"
#include "base/os.h"
#include "entry/export.h"
#include "entry/late.h"
#include "entry/marks.h"
#include "ledger/forks.h"
#include "ledger/registrations.h"
#include "ledger/stacks.h"
#include "native/handlers.h"
#include "native/modules.h"
#include "native/threads.h"
#include "native/trace.h"
#include "native/unwind.h"
#include "python/attach.h"
#include "snapshot/snapshot.h"

typedef int register_fn(handler_fn *prepare, handler_fn *parent, handler_fn *child, void *handle);
typedef pid_t forkpty_fn(int *master, char *name, const struct termios *terminal, const struct winsize *size);
typedef int plain_register_fn(handler_fn *prepare, handler_fn *parent, handler_fn *child);

static struct {
	register_fn *register_atfork;     /* glibc */
	plain_register_fn *pthread_atfork; /* musl; glibc: the compat symbol of x86-64 */
	void (*cxa_finalize)(void *handle);
	pid_t (*fork)(void);
	int (*daemon)(int nochdir, int noclose);
	forkpty_fn *forkpty;
} libc;

static struct lock init_lock;
static bool ready;
static pid_t process;  /* whose handlers have run: a vfork child, or one of a raw clone, must write nothing here */

static __thread unsigned forking __attribute__((tls_model("initial-exec")));
static __thread uint32_t interpreter __attribute__((tls_model("initial-exec")));
static __thread bool locked __attribute__((tls_model("initial-exec")));
static __thread bool daemonizing __attribute__((tls_model("initial-exec")));

bool atfork_in_handler(void)
{
	return forking > 0;
}

unsigned atfork_depth(void)
{
	return forking;
}

/* Our own handlers: see atfork.h for their order. */

static void prepare_fork(void)
{
	int saved = errno;

	marks_pass(0, PHASE_BEFORE);
	/* A vfork child must write nothing here; in the child of a raw clone the locks may belong to threads that are
	 * not there. Either one's child starts with new locks. */
	locked = process == os_getpid();
	interpreter = INTERPRETER_NONE;
	if (locked) {
		interpreter = python_fork_interpreter();
		forks_before(interpreter);
		trace_prepare();
		unwind_prepare();
		modules_prepare();
		ledger_prepare();
	}
	errno = saved;
}

static void fork_in_parent(void)
{
	int saved = errno;

	if (locked) {
		ledger_parent();
		modules_parent();
		unwind_parent();
		trace_parent();
		forks_parent(interpreter);
	}
	marks_pass(0, PHASE_PARENT);
	errno = saved;
}

static void fork_in_child(void)
{
	int saved = errno;

	ledger_child();
	modules_child();
	unwind_child();
	marks_child();
	trace_child();
	process = os_getpid();
	forks_child(interpreter);
	python_child(interpreter);
	snapshot_child(daemonizing);
	marks_pass(0, PHASE_CHILD);
	errno = saved;
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static void find_functions(void)
{
	libc.cxa_finalize = (void (*)(void *))next("__cxa_finalize");
	libc.fork = (pid_t (*)(void))next("fork");
	libc.daemon = (int (*)(int, int))next("daemon");
	libc.forkpty = (forkpty_fn *)next("forkpty");
#ifdef __GLIBC__
	libc.register_atfork = (register_fn *)next("__register_atfork");
	libc.pthread_atfork = (plain_register_fn *)dlvsym(RTLD_NEXT, "pthread_atfork", "GLIBC_2.2.5");
#else
	libc.pthread_atfork = (plain_register_fn *)next("pthread_atfork");
#endif
}

static int register_ours(handler_fn *prepare, handler_fn *parent, handler_fn *child)
{
	/* NULL handle: ours stay to the very end, through the destructors of every library. */
	if (libc.register_atfork)
		return libc.register_atfork(prepare, parent, child, NULL);
	return libc.pthread_atfork ? libc.pthread_atfork(prepare, parent, child) : ENOSYS;
}

void atfork_init(void)
{
	int saved = errno;

	if (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) || !lock_take(&init_lock))
		return;
	if (!ready) {
		guard_enter();
		process = os_getpid();
		find_functions();
		modules_init();
		unwind_init();
		register_ours(prepare_fork, fork_in_parent, fork_in_child);
		__atomic_store_n(&ready, true, __ATOMIC_RELEASE);
		guard_leave();
	}
	lock_release(&init_lock);
	errno = saved;
}

struct call {
	handler_fn *prepare, *parent, *child;
	void *handle;
	bool compat;
	uintptr_t caller;
};

static struct registration *record(const struct call *call)
{
	struct registration model = {
		.kind = REGISTRATION_NATIVE,
		.in_handler = forking > 0,
		.interpreter = INTERPRETER_NONE,
		.callable = { (uintptr_t)call->prepare, (uintptr_t)call->parent, (uintptr_t)call->child },
		.handle = (uintptr_t)call->handle,
		.caller = call->caller,
		.compat = call->compat,
		.stack = STACK_NONE,
		.at = forks_native(),
	};

	modules_refresh();
	/* Attaching takes the loader's lock, which another thread may hold while it waits for this one. */
	if (forking == 0 && threads_alone())
		late_look();
	for (int phase = 0; phase < PHASES; phase++) {
		model.code_module[phase] = modules_find(model.callable[phase]);
		model.symbol[phase] = modules_symbol(model.callable[phase], false);
	}
	model.handle_module = modules_find(model.handle);
	model.caller_module = modules_find(model.caller);
	model.foreign = handler_handle_foreign(&model);
	model.native_stack = unwind_here(model.caller);
	return registrations_add(&model);
}

/* enter - may this call be recorded? Not inside ourselves, not in a process that ran no handlers of ours. Each call
 * needs its leave. */
static bool enter(void)
{
	return guard_enter() && process == os_getpid();
}

/* A registration on its way to libc. */
struct passing {
	struct registration *entry;
	struct marks_turn turn;
	bool ours;  /* not in a vfork child, where nothing is written */
};

static struct passing before(const struct call *call)
{
	struct passing passing = { .ours = process == os_getpid() };
	int saved = errno;

	if (passing.ours)
		passing.turn = marks_begin();
	/* Before the call goes on: inside a handler some libcs never come back from it, and then it can still be
	 * seen. */
	if (enter())
		passing.entry = record(call);
	guard_leave();
	errno = saved;
	return passing;
}

static int after(struct passing passing, int result)
{
	int saved = errno;

	if (result && passing.entry)
		registrations_remove(passing.entry, REMOVED_REFUSED);
	if (passing.ours)
		marks_end(passing.turn, passing.entry, result == 0, register_ours);
	errno = saved;
	return result;
}

#ifdef __GLIBC__
/* Where every use of pthread_atfork ends: that one is a piece of each program and library, linked in statically. */
EXPORT int __register_atfork(handler_fn *prepare, handler_fn *parent, handler_fn *child, void *handle)
{
	struct call call = { prepare, parent, child, handle, false, (uintptr_t)__builtin_return_address(0) };
	struct passing passing;

	atfork_init();
	if (!libc.register_atfork)
		return ENOSYS;
	passing = before(&call);
	return after(passing, libc.register_atfork(prepare, parent, child, handle));
}
#endif

#if !defined(__GLIBC__) || defined(__x86_64__)
static int plain_register(const struct call *call)
{
	struct passing passing;
	int result;

	atfork_init();
	if (libc.pthread_atfork) {
		passing = before(call);
		/* Before glibc 2.34 the old symbol lies in a library of its own and comes back through the new one. */
		guard_enter();
		result = libc.pthread_atfork(call->prepare, call->parent, call->child);
		guard_leave();
		return after(passing, result);
	}
	/* The old symbol lived in a library that is not loaded: what it did with its own handle, never to be
	 * removed. */
	if (!libc.register_atfork)
		return ENOSYS;
	passing = before(call);
	return after(passing, libc.register_atfork(call->prepare, call->parent, call->child, NULL));
}

#ifdef __GLIBC__
__asm__(".symver compat_pthread_atfork, pthread_atfork@GLIBC_2.2.5");
EXPORT int compat_pthread_atfork(handler_fn *prepare, handler_fn *parent, handler_fn *child);

/* What a weak reference to pthread_atfork without a version finds: libc's first version, under libc's own handle. */
int compat_pthread_atfork(handler_fn *prepare, handler_fn *parent, handler_fn *child)
#else
EXPORT int pthread_atfork(handler_fn *prepare, handler_fn *parent, handler_fn *child)
#endif
{
	struct call call = { prepare, parent, child, NULL, true, (uintptr_t)__builtin_return_address(0) };

	return plain_register(&call);
}
#endif

static void finalize(uintptr_t handle, uintptr_t caller)
{
	struct closing closing = { .handle = handle, .at = forks_native() };

	/* What allocated in it is named by the module table, so it must have seen it. */
	if (!modules_exiting())
		modules_refresh();
	closing.module = modules_finalize(handle);
	registrations_finalize(handle, forking > 0);
	if (forking > 0 && !modules_exiting()) {
		modules_refresh();
		closing.module = modules_find(handle);
		closing.native_stack = unwind_here(caller);
		closings_add(&closing);
	}
}

/* Each library's destructor calls this with its handle, when dlclose unloads it and when the process ends. */
EXPORT void __cxa_finalize(void *handle)
{
	bool unloading = false;
	int saved = errno;

	atfork_init();
	if (handle && enter()) {
		finalize((uintptr_t)handle, (uintptr_t)__builtin_return_address(0));
		/* At exit they all come here, and nobody leaves. */
		unloading = !modules_exiting();
	}
	if (handle)
		guard_leave();
	errno = saved;
	if (libc.cxa_finalize)
		libc.cxa_finalize(handle);
	/* Its destructors have run, and may have allocated: from here on its addresses are no longer its. */
	if (unloading)
		trace_unloading();
}

/* The calls that run handlers, only to know that this thread is inside one. */

EXPORT pid_t fork(void)
{
	pid_t result;

	atfork_init();
	forking++;
	result = libc.fork();
	forking--;
	return result;
}

EXPORT int daemon(int nochdir, int noclose)
{
	int result;

	atfork_init();
	forking++;
	daemonizing = true;
	result = libc.daemon(nochdir, noclose);
	daemonizing = false;
	forking--;
	return result;
}

EXPORT pid_t forkpty(int *master, char *name, const struct termios *terminal, const struct winsize *size)
{
	pid_t result;

	atfork_init();
	/* In a library of its own before glibc 2.34, which the program may have opened since. */
	if (!libc.forkpty)
		libc.forkpty = (forkpty_fn *)next("forkpty");
	if (!libc.forkpty) {
		errno = ENOSYS;
		return -1;
	}
	forking++;
	result = libc.forkpty(master, name, terminal, size);
	forking--;
	return result;
}
