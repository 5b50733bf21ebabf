/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libpython that is dlopened after the start (embedding, plugins of servers) is not there in the constructor, and
 * its calls of its own functions cannot be seen. But every CPython since 3.7 sets the clock of its condition
 * attribute once, early in Py_Initialize and before it imports anything; hardly anybody else ever does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include "entry/export.h"
#include "python/attach.h"

EXPORT int pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock)
{
	static int (*real)(pthread_condattr_t *, clockid_t);
	if (!real)
		real = (int (*)(pthread_condattr_t *, clockid_t))dlsym(RTLD_NEXT, "pthread_condattr_setclock");
	python_late();
	return real ? real(attributes, clock) : ENOSYS;
}
