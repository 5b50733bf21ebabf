/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls after which the directory that reports go to may be out of reach: a new root, another user.
 * seteuid is not among them: who comes back can look again.
 */
#define _GNU_SOURCE
#include "entry/leave.h"
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <sys/types.h>
#include "entry/export.h"
#include "snapshot/snapshot.h"

/* X(name, parameters, arguments) */
#define CALLS(X) \
	X(chroot, (const char *path), (path)) \
	X(setuid, (uid_t user), (user)) \
	X(setreuid, (uid_t real_user, uid_t effective), (real_user, effective)) \
	X(setresuid, (uid_t real_user, uid_t effective, uid_t saved), (real_user, effective, saved))

#define POINTER(name, parameters, arguments) int (*name) parameters;
static struct {
	CALLS(POINTER)
} real;

void leave_init(void)
{
#define RESOLVE(name, parameters, arguments) real.name = (int (*) parameters)dlsym(RTLD_NEXT, #name);
	CALLS(RESOLVE)
}

#define WRAPPER(name, parameters, arguments) \
	EXPORT int name parameters \
	{ \
		int result = -1; \
		bool held = snapshot_before_leaving(); \
		if (!real.name) \
			leave_init(); \
		if (real.name) \
			result = real.name arguments; \
		else \
			errno = ENOSYS; \
		if (held) \
			snapshot_after_leaving(); \
		return result; \
	}
CALLS(WRAPPER)
