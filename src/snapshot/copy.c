/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "snapshot/copy.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include "base/os.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define BLIND_LIMIT 65536 /* descriptors tried one by one where neither close_range nor /proc is there */

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static void die_with(pid_t parent)
{
	os_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
	/* The parent may have died before that call. */
	if ((pid_t)os_call(SYS_getppid, 0, 0, 0, 0, 0, 0) != parent)
		os_call(SYS_exit_group, 1, 0, 0, 0, 0, 0);
}

/* abort() unblocks and raises; a crash handler of the host's must not run for a fault of ours. */
static void default_actions(void)
{
	static const int fatal[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
	struct kernel_sigaction action = { .handler = (void *)SIG_DFL };

	for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		os_call(SYS_rt_sigaction, fatal[i], (long)&action, 0, sizeof(action.mask), 0, 0);
}

static void first_for_the_oom_killer(void)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0, 0, 0);

	if (fd < 0)
		return;
	os_write_all((int)fd, "1000", 4);
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static void raise_to_hard(int which)
{
	struct rlimit limit;

	if (os_call(SYS_prlimit64, 0, which, 0, (long)&limit, 0, 0) == 0) {
		limit.rlim_cur = limit.rlim_max;
		os_call(SYS_prlimit64, 0, which, (long)&limit, 0, 0, 0);
	}
}

static void limits(void)
{
	struct rlimit limit;

	raise_to_hard(RLIMIT_FSIZE);
	raise_to_hard(RLIMIT_NOFILE);
	/* One byte, not none: the kernel ignores 0 where cores go into a pipe, and 1 keeps both ways shut. */
	limit = (struct rlimit){ 1, 1 };
	if (os_call(SYS_prlimit64, 0, RLIMIT_CORE, (long)&limit, 0, 0, 0) < 0) {
		limit = (struct rlimit){ 0, 0 };
		os_call(SYS_prlimit64, 0, RLIMIT_CORE, (long)&limit, 0, 0, 0);
	}
}

static void close_one(int fd, int keep_fd)
{
	if (fd != keep_fd)
		os_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static int number(const char *text)
{
	int value = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
	}
	return value;
}

/* Kernels before 5.9, and seccomp profiles that do not know close_range. */
static void close_listed(int keep_fd)
{
	_Alignas(struct os_entry) char buffer[4096];
	long list = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/fd", O_RDONLY | O_DIRECTORY, 0, 0, 0);
	bool again = true;

	if (list < 0) {
		for (int fd = 0; fd < BLIND_LIMIT; fd++)
			close_one(fd, keep_fd);
		return;
	}
	/* Closing while listing may skip entries: begin anew until a pass closes nothing. */
	while (again) {
		long got;

		again = false;
		os_call(SYS_lseek, list, 0, SEEK_SET, 0, 0, 0);
		while ((got = os_call(SYS_getdents64, list, (long)buffer, sizeof(buffer), 0, 0, 0)) > 0) {
			for (long at = 0; at < got; at += ((struct os_entry *)(buffer + at))->size) {
				int fd = number(((struct os_entry *)(buffer + at))->name);

				if (fd < 0 || fd == list || fd == keep_fd)
					continue;
				again |= os_call(SYS_close, fd, 0, 0, 0, 0, 0) == 0;
			}
		}
	}
	os_call(SYS_close, list, 0, 0, 0, 0, 0);
}

static void close_all_but(int keep_fd)
{
	unsigned after = keep_fd < 0 ? 0 : (unsigned)keep_fd + 1;

	if (keep_fd > 0 && os_call(SYS_close_range, 0, keep_fd - 1, 0, 0, 0, 0) < 0) {
		close_listed(keep_fd);
		return;
	}
	if (os_call(SYS_close_range, after, (long)~0u, 0, 0, 0, 0) < 0)
		close_listed(keep_fd);
}

static void occupy_standard(int keep_fd)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDWR, 0, 0, 0);

	if (fd < 0) { /* chroot: a directory opened by path only refuses writes just as well */
		fd = os_call(SYS_openat, AT_FDCWD, (long)"/", O_PATH, 0, 0, 0);
		if (fd < 0)
			return;
	}
	while (fd >= 0 && fd <= 2)
		fd = os_call(SYS_dup, fd, 0, 0, 0, 0, 0);
	if (fd > 2 && fd != keep_fd)
		os_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

void copy_settle(int keep_fd, pid_t parent)
{
	die_with(parent);
	os_call(SYS_prctl, PR_SET_NAME, (long)"forkheld", 0, 0, 0, 0);
	default_actions();
	first_for_the_oom_killer();
	limits();
	close_all_but(keep_fd);
	occupy_standard(keep_fd);
	/* Last: it takes files under /proc/self away from an ordinary user. */
	os_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0, 0);
}
