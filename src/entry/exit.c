/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "entry/exit.h"
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/os.h"
#include "entry/export.h"
#include "snapshot/snapshot.h"

int __cxa_atexit(void (*function)(void *), void *argument, void *handle);

static void (*real_exit)(int status);

static void at_exit(void *unused)
{
	(void)unused;
	snapshot_take(TRIGGER_EXIT, NULL);
}

/* Registered before main, so it is the last handler that quick_exit runs. The call that ends the process is then libc's
 * own, which nobody can interpose. */
static void at_quick(void)
{
	snapshot_take(TRIGGER__EXIT, NULL);
}

void exit_init(void)
{
	real_exit = (void (*)(int))dlsym(RTLD_NEXT, "_exit");
	/* No handle: it does not run with our destructor but after everybody's. */
	__cxa_atexit(at_exit, NULL, NULL);
	at_quick_exit(at_quick);
}

static _Noreturn void end(int status)
{
	snapshot_take(TRIGGER__EXIT, NULL);
	if (real_exit)
		real_exit(status);
	for (;;)
		os_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

EXPORT _Noreturn void _exit(int status)
{
	end(status);
}

EXPORT _Noreturn void _Exit(int status)
{
	end(status);
}
