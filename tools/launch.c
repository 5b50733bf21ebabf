/* SPDX-License-Identifier: Apache-2.0 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <forkheld/report.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool.h"

#define LIBRARY_NAME "libforkheld.so"

static char *readable(const char *path)
{
	return access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;
}

char *library_find(const char **reason)
{
	/* In this order: the build tree, an installation that was moved as a whole, where it was installed. */
	static const char *const beside[] = {"../src/", "../" FORKHELD_LIBDIR "/", "../lib/"};
	const char *given = getenv("FORKHELD_LIBRARY");
	char self[PATH_MAX], path[PATH_MAX * 2], *slash, *found = NULL;
	ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (given && *given) {
		*reason = "FORKHELD_LIBRARY names no readable file";
		found = readable(given);
	} else {
		*reason = LIBRARY_NAME " is neither beside this program nor where it was installed";
		self[size > 0 ? size : 0] = '\0';
		slash = strrchr(self, '/');
		if (slash)
			slash[1] = '\0';
		for (size_t i = 0; slash && !found && i < sizeof(beside) / sizeof(beside[0]); i++) {
			snprintf(path, sizeof(path), "%s%s" LIBRARY_NAME, self, beside[i]);
			found = readable(path);
		}
		if (!found)
			found = readable(FORKHELD_PREFIX "/" FORKHELD_LIBDIR "/" LIBRARY_NAME);
	}
	if (found && strpbrk(found, " :\t\n")) {
		*reason = "the library's path has a blank or colon: LD_PRELOAD cannot name it (see FORKHELD_LIBRARY)";
		free(found);
		found = NULL;
	}
	return found;
}

/* preload - @library first, for it must see what the others call; once, also where we run inside another run. */
static void preload(const char *library)
{
	const char *old = getenv("LD_PRELOAD");
	size_t length = strlen(library);
	char *value;

	for (const char *at = old; at && (at = strstr(at, library)); at += length)
		if ((at == old || strchr(": ", at[-1])) && (!at[length] || strchr(": ", at[length])))
			return;
	if (!old || !*old) {
		setenv("LD_PRELOAD", library, 1);
		return;
	}
	value = take(length + strlen(old) + 2, 1);
	stpcpy(stpcpy(stpcpy(value, library), ":"), old);
	setenv("LD_PRELOAD", value, 1);
	free(value);
}

/* What the parent changed of the signals, so that the command starts with what we were given. */
struct inherited {
	sigset_t mask;
	struct sigaction interrupt, quit, child;
};

static void signals_take(struct inherited *inherited, sigset_t *waited)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};

	sigemptyset(waited);
	sigaddset(waited, SIGCHLD);
	sigaddset(waited, SIGTERM);
	sigaddset(waited, SIGHUP);
	sigprocmask(SIG_BLOCK, waited, &inherited->mask);
	sigaction(SIGINT, &ignore, &inherited->interrupt);
	sigaction(SIGQUIT, &ignore, &inherited->quit);
	/* Inherited as ignored, SIGCHLD would make waitpid lose the status. */
	sigaction(SIGCHLD, &standard, &inherited->child);
}

static void signals_give(const struct inherited *inherited)
{
	sigaction(SIGINT, &inherited->interrupt, NULL);
	sigaction(SIGQUIT, &inherited->quit, NULL);
	sigaction(SIGCHLD, &inherited->child, NULL);
	sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
}

static void wait_for(pid_t pid, const sigset_t *waited, int *status)
{
	siginfo_t info;
	int number;

	while (waitpid(pid, status, WNOHANG) == 0) {
		number = sigwaitinfo(waited, &info);
		/* The kernel sends a hang-up to the whole group: the command has had it. */
		if ((number == SIGTERM || number == SIGHUP) && info.si_code != SI_KERNEL)
			kill(pid, number);
	}
}

static _Noreturn void execute(char *const *argv, const struct inherited *inherited, int report_fd)
{
	int error;

	signals_give(inherited);
	execvp(argv[0], argv);
	error = errno;
	if (write(report_fd, &error, sizeof(error)) != sizeof(error))
		_exit(126);
	_exit(127);
}

bool launch(char *const *argv, const char *library, const char *output, const char *options, pid_t *pid, int *status,
	int *error)
{
	struct inherited inherited;
	sigset_t waited;
	int ends[2];

	if (library)
		preload(library);
	if (output)
		setenv(FORKHELD_ENV_OUTPUT, output, 1);
	if (options)
		setenv(FORKHELD_ENV_OPTIONS, options, 1);
	unsetenv(FORKHELD_ENV_TREE);
	if (pipe2(ends, O_CLOEXEC) < 0) {
		*error = errno;
		return false;
	}
	signals_take(&inherited, &waited);
	*pid = fork();
	if (*pid == 0)
		execute(argv, &inherited, ends[1]);
	*error = *pid < 0 ? errno : 0;
	close(ends[1]);
	if (*pid > 0 && read(ends[0], error, sizeof(*error)) != sizeof(*error))
		*error = 0;
	close(ends[0]);
	if (*pid > 0)
		wait_for(*pid, &waited, status);
	return *error == 0;
}
