/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec replaces the process image: a last look at it. Often called in a fork's or vfork's child: async-signal-safe,
 * nothing is written before snapshot_take has seen that this is not a vfork's child.
 */
#define _GNU_SOURCE
#include "entry/exec.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/os.h"
#include "entry/export.h"
#include "snapshot/snapshot.h"

#define PATH_ROOM 4096

/* X(name, parameters) - what the others are led back to. */
#define EXECS(X) \
	X(execve, (const char *path, char *const argv[], char *const envp[])) \
	X(execv, (const char *path, char *const argv[])) \
	X(execvp, (const char *file, char *const argv[])) \
	X(execvpe, (const char *file, char *const argv[], char *const envp[])) \
	X(fexecve, (int fd, char *const argv[], char *const envp[])) \
	X(execveat, (int fd, const char *path, char *const argv[], char *const envp[], int flags))

#define POINTER(name, parameters) int (*name) parameters;
static struct {
	EXECS(POINTER)
} real;

void exec_init(void)
{
#define RESOLVE(name, parameters) real.name = (int (*) parameters)dlsym(RTLD_NEXT, #name);
	EXECS(RESOLVE)
}

/* The real function; missing in this libc, or called before our constructor: NULL and ENOSYS. */
#define REAL(name) (real.name ? real.name : (exec_init(), real.name))
#define FORWARD(name, ...) \
	do { \
		if (REAL(name)) \
			return real.name(__VA_ARGS__); \
		errno = ENOSYS; \
		return -1; \
	} while (0)

/* A regular file that may be executed: a call that is bound to fail leaves no report. */
static bool executable(int fd, const char *path, int flags)
{
	struct stat status;

	if (!path || os_call(SYS_newfstatat, fd, (long)path, (long)&status, flags, 0, 0) < 0)
		return false;
	/* Access by effective ids is what exec asks for; the old call knows only the real ones, which differ rarely. */
	return S_ISREG(status.st_mode) && (status.st_mode & 0111) &&
	       (*path == '\0' || os_call(SYS_faccessat, fd, (long)path, X_OK, 0, 0, 0) == 0 || getuid() != geteuid());
}

static bool executable_in_path(const char *file)
{
	const char *path = getenv("PATH"), *end;
	char name[PATH_ROOM];
	size_t length;

	if (!file || !*file || strchr(file, '/'))
		return executable(AT_FDCWD, file, 0);
	for (path = path ? path : "/bin:/usr/bin";; path = end + 1) {
		end = strchrnul(path, ':');
		length = (size_t)(end - path);
		if (length + strlen(file) + 2 <= sizeof(name)) {
			memcpy(name, path, length);
			name[length] = '/';
			strcpy(name + length + (length > 0), file);
			if (executable(AT_FDCWD, name, 0))
				return true;
		}
		if (!*end)
			return false;
	}
}

static void last_look(bool will_work)
{
	if (will_work)
		snapshot_take(TRIGGER_EXEC, NULL);
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	last_look(executable(AT_FDCWD, path, 0));
	FORWARD(execve, path, argv, envp);
}

EXPORT int execv(const char *path, char *const argv[])
{
	last_look(executable(AT_FDCWD, path, 0));
	FORWARD(execv, path, argv);
}

EXPORT int execvp(const char *file, char *const argv[])
{
	last_look(executable_in_path(file));
	FORWARD(execvp, file, argv);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	last_look(executable_in_path(file));
	FORWARD(execvpe, file, argv, envp);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	last_look(executable(fd, "", AT_EMPTY_PATH));
	FORWARD(fexecve, fd, argv, envp);
}

EXPORT int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	last_look(executable(fd, path, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)));
	if (REAL(execveat))
		return real.execveat(fd, path, argv, envp, flags);
	/* Before glibc 2.34 there is none: who asks for it and finds ours gets the system call. */
	return (int)syscall(SYS_execveat, fd, path, argv, envp, flags);
}

/* The list forms: the arguments become an array on the stack (no heap: this may be a vfork's child). */
#define LIST_FORM(name, call, with_environment) \
	EXPORT int name(const char *path, const char *first, ...) \
	{ \
		va_list list; \
		size_t count = 1; \
		va_start(list, first); \
		for (const char *next = first; next; next = va_arg(list, const char *)) \
			count++; \
		va_end(list); \
		char *argv[count]; \
		char **envp; \
		va_start(list, first); \
		argv[0] = (char *)first; \
		for (size_t i = 1; i < count; i++) \
			argv[i] = va_arg(list, char *); \
		envp = with_environment ? va_arg(list, char **) : environ; \
		va_end(list); \
		(void)envp; \
		return call; \
	}
LIST_FORM(execl, execv(path, argv), false)
LIST_FORM(execlp, execvp(path, argv), false)
LIST_FORM(execle, execve(path, argv, envp), true)
