/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "snapshot/tasks.h"
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include "base/os.h"
#include "base/raw.h"

static char *put_number(char *at, pid_t number)
{
	char digits[16];
	unsigned count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
	} while (number /= 10);
	while (count)
		*at++ = digits[--count];
	*at = '\0';
	return at;
}

/* proc_path - "/proc/PROCESS/task"; of a thread "/TID/NAME" in it. */
static void proc_path(char path[64], pid_t process, pid_t tid, const char *name)
{
	char *at = stpcpy(put_number(stpcpy(path, "/proc/"), process), "/task");

	if (tid)
		stpcpy(stpcpy(put_number(stpcpy(at, "/"), tid), "/"), name);
}

/* read_proc - the beginning of that file, as a string. Return: false if there is none. */
static bool read_proc(pid_t process, pid_t tid, const char *name, char *text, size_t room)
{
	char path[64];
	long fd, length;

	proc_path(path, process, tid, name);
	fd = raw_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return false;
	length = raw_call(SYS_read, fd, (long)text, (long)room - 1, 0, 0, 0);
	raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

static long decimal(const char *text)
{
	long value = 0;

	while (*text >= '0' && *text <= '9')
		value = value * 10 + (*text++ - '0');
	return value;
}

/* What follows the @count-th blank. */
static const char *behind_blanks(const char *text, unsigned count)
{
	for (; count && *text; text++)
		count -= *text == ' ';
	return text;
}

/* state_of - the letter that the kernel has for what the thread does, 0 if it is gone. *@flags: the kernel's. */
static char state(pid_t process, pid_t tid, unsigned long *flags)
{
	char text[512], letter;
	const char *at;

	*flags = 0;
	if (!read_proc(process, tid, "stat", text, sizeof(text)))
		return 0;
	at = strrchr(text, ')'); /* its name may have some */
	if (!at || strlen(at) < 3)
		return 0;
	letter = at[2];
	at += 3;
	*flags = (unsigned long)decimal(behind_blanks(at, 7));
	return letter;
}

char tasks_state(pid_t process, pid_t tid)
{
	unsigned long unused;

	return state(process, tid, &unused);
}

bool tasks_bystander(pid_t process, pid_t tid)
{
	enum { IO_WORKER = 0x10, USER_WORKER = 0x4000, KERNEL_THREAD = 0x200000 };
	unsigned long flags;
	char letter = state(process, tid, &flags);

	return !letter || strchr("ZXx", letter) || flags & (IO_WORKER | USER_WORKER | KERNEL_THREAD);
}

bool tasks_traced(pid_t process, pid_t tid)
{
	char text[1024], *at;

	if (!read_proc(process, tid, "status", text, sizeof(text)))
		return false;
	at = strstr(text, "TracerPid:");
	return at && at[strlen("TracerPid:")] == '\t' && at[strlen("TracerPid:") + 1] != '0';
}

bool tasks_yama(void)
{
	char scope = '0';
	long fd = raw_call(SYS_openat, AT_FDCWD, (long)"/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC, 0, 0, 0);

	if (fd < 0)
		return false;
	raw_call(SYS_read, fd, (long)&scope, 1, 0, 0, 0);
	raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
	return scope == '1';
}

static bool waits_for_all(const char *flags)
{
	size_t length = strspn(flags, "0123456789abcdefx");

	/* In hexadecimal: MSG_WAITALL is 0x100. */
	return length >= 3 && strchr("13579bdf", flags[length - 3]);
}

bool tasks_writing(pid_t process, pid_t tid)
{
	static const short whole[] = {
		SYS_write, SYS_writev, SYS_pwrite64, SYS_pwritev, SYS_pwritev2, SYS_sendto, SYS_sendmsg, SYS_sendmmsg,
		SYS_sendfile, SYS_splice, SYS_tee, SYS_vmsplice, SYS_copy_file_range,
	};
	char text[256];
	long call;

	if (!read_proc(process, tid, "syscall", text, sizeof(text)) || *text < '0' || *text > '9')
		return false;
	call = decimal(text);
	if (call == SYS_recvfrom)
		return waits_for_all(behind_blanks(text, 4));
	if (call == SYS_recvmsg)
		return waits_for_all(behind_blanks(text, 3));
	for (unsigned i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (call == whole[i])
			return true;
	return false;
}

long tasks_list(pid_t process, bool (*use)(void *argument, pid_t tid), void *argument)
{
	_Alignas(struct os_entry) char buffer[4096];
	char path[64];
	long fd, got;
	bool more = true;

	proc_path(path, process, 0, NULL);
	fd = raw_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return fd;
	while (more && (got = raw_call(SYS_getdents64, fd, (long)buffer, sizeof(buffer), 0, 0, 0)) > 0) {
		for (long at = 0; at < got && more; at += ((struct os_entry *)(buffer + at))->size) {
			pid_t tid = (pid_t)decimal(((struct os_entry *)(buffer + at))->name);

			more = !tid || use(argument, tid);
		}
	}
	raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
	return more && got < 0 ? got : 0;
}
