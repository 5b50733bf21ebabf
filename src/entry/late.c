/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libpython that is dlopened after the start (embedding, plugins of servers) is not there in the constructor, and
 * its calls of its own functions cannot be seen. But every CPython since 3.7 sets the clock of its condition
 * attribute once, early in Py_Initialize and before it imports anything; hardly anybody else does.
 */
#define _GNU_SOURCE
#include "entry/late.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include "entry/export.h"
#include "native/modules.h"
#include "native/trace.h"
#include "python/attach.h"
#include "python/objects.h"
#include "snapshot/freeze.h"

static const char *find_library(void)
{
	for (uint32_t i = 0; i < modules_count(); i++) {
		const struct module *module = modules_get(i);
		const char *slash = module->path ? strrchr(module->path, '/') : NULL;
		if (module->loaded && slash && strncmp(slash + 1, "libpython3.", strlen("libpython3.")) == 0)
			return module->path;
	}
	return NULL;
}

void late_look(void)
{
	static uint32_t looked;
	if (python_present() || freeze_inside())
		return;
	modules_refresh();
	uint32_t now = modules_generation();
	/* Looking twice at once does no harm; missing the one time that counts would. */
	if (now == __atomic_load_n(&looked, __ATOMIC_RELAXED) || !modules_loader_free())
		return;
	__atomic_store_n(&looked, now, __ATOMIC_RELAXED);
	python_late(find_library());
	trace_stop_at(objects_evaluator());
}

EXPORT int pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock)
{
	static int (*real)(pthread_condattr_t *, clockid_t);
	int saved = errno;
	if (!real)
		real = (int (*)(pthread_condattr_t *, clockid_t))dlsym(RTLD_NEXT, "pthread_condattr_setclock");
	late_look();
	errno = saved;
	return real ? real(attributes, clock) : ENOSYS;
}
