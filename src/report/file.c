/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "report/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/options.h"
#include "base/os.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif
#define HIGH_DESCRIPTOR 1000 /* out of the way of hosts that count on the next numbers; below FD_SETSIZE */
#define PATH_ROOM 4096
#define SUFFIXES 10000u
#define TEMPORARIES 16u

struct place {
	dev_t device;
	ino_t inode;
};

static struct {
	int descriptor;      /* held where the path no longer leads there, else -1 */
	struct place here;   /* the directory, if there is one directory; inode 0: none */
	struct place root;   /* "/" at the start */
	const char *name;    /* the pattern behind the last slash */
	char executable[FILE_NAME_ROOM];
} target = { .descriptor = -1 };

struct text {
	char *next;
	size_t room; /* without the NUL */
	bool overflow;
};

static void put(struct text *text, const char *part, size_t length)
{
	if (length > text->room) {
		text->overflow = true;
		return;
	}
	memcpy(text->next, part, length);
	text->next += length;
	*text->next = '\0';
	text->room -= length;
}

static void put_number(struct text *text, uint64_t number)
{
	char digits[24], *first = digits + sizeof(digits);

	do {
		*--first = (char)('0' + number % 10);
	} while (number /= 10);
	put(text, first, (size_t)(digits + sizeof(digits) - first));
}

/* An unknown letter stays as it is. */
static void expand(struct text *text, const char *pattern, size_t length, pid_t pid, uint32_t sequence)
{
	for (size_t i = 0; i < length; i++) {
		char letter = pattern[i] == '%' && i + 1 < length ? pattern[i + 1] : '\0';

		i += letter == 'p' || letter == 'n' || letter == 'e' || letter == '%';
		if (letter == 'p')
			put_number(text, (uint64_t)pid);
		else if (letter == 'n')
			put_number(text, sequence);
		else if (letter == 'e')
			put(text, target.executable, strlen(target.executable));
		else
			put(text, &pattern[i], 1);
	}
}

static void executable_name(void)
{
	char path[PATH_ROOM];
	long length = os_call(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)path, sizeof(path), 0, 0);
	const char *name = "unknown";
	size_t size = strlen(name);

	if (length > 0) {
		const char *slash = memrchr(path, '/', (size_t)length);

		name = slash ? slash + 1 : path;
		size = (size_t)(path + length - name);
	}
	/* Leave room for the rest of the pattern. */
	size = size < FILE_NAME_ROOM - 64 ? size : FILE_NAME_ROOM - 64;
	memcpy(target.executable, name, size);
	target.executable[size] = '\0';
}

/* Return: the descriptor that the host is least likely to meet, or @fd itself. */
static int move_up(int fd)
{
	struct rlimit limit;
	int least = HIGH_DESCRIPTOR, moved;

	if (os_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0) == 0 && limit.rlim_cur <= HIGH_DESCRIPTOR)
		least = limit.rlim_cur > 8 ? (int)limit.rlim_cur - 4 : 3;
	moved = (int)os_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least, 0, 0, 0);
	if (moved >= 0)
		os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	return moved >= 0 ? moved : fd;
}

/* By descriptor if @path is empty. Return: inode 0 where it cannot be seen. */
static struct place place_of(int fd, const char *path)
{
	struct stat status;

	if (os_call(SYS_newfstatat, fd, (long)path, (long)&status, AT_EMPTY_PATH, 0, 0) < 0)
		return (struct place){ 0, 0 };
	return (struct place){ status.st_dev, status.st_ino };
}

static bool same_place(struct place a, struct place b)
{
	return a.device == b.device && a.inode == b.inode && a.inode != 0;
}

static int open_directory(const char *path)
{
	return (int)os_call(SYS_openat, AT_FDCWD, (long)path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
}

static int directory_path(char *path, size_t room, pid_t pid, uint32_t sequence)
{
	struct text text = { path, room - 1, false };

	path[0] = '\0';
	expand(&text, options.output, (size_t)(target.name - options.output), pid, sequence);
	if (path[0] == '\0')
		put(&text, ".", 1);
	return text.overflow ? -ENAMETOOLONG : 0;
}

/* Does the directory's name change with the process or the snapshot? */
static bool directory_varies(void)
{
	for (const char *at = options.output; at + 1 < target.name; at++) {
		if (*at == '%' && (*++at == 'p' || *at == 'n'))
			return true;
	}
	return false;
}

void file_init(void)
{
	const char *slash = strrchr(options.output, '/');
	char path[PATH_ROOM];

	target.name = slash ? slash + 1 : options.output;
	executable_name();
	target.root = place_of(AT_FDCWD, "/");
	if (!directory_varies() && directory_path(path, sizeof(path), 0, 0) == 0)
		target.here = place_of(AT_FDCWD, path);
}

bool file_hold(void)
{
	char path[PATH_ROOM];
	int fd;

	if (target.descriptor >= 0 || target.here.inode == 0 || directory_path(path, sizeof(path), 0, 0) < 0)
		return false;
	fd = open_directory(path);
	if (fd < 0)
		return false;
	target.descriptor = move_up(fd);
	target.here = place_of(target.descriptor, "");
	return true;
}

void file_let_go(void)
{
	char path[PATH_ROOM];

	if (directory_path(path, sizeof(path), 0, 0) < 0 || !same_place(place_of(AT_FDCWD, path), target.here))
		return;
	os_call(SYS_close, target.descriptor, 0, 0, 0, 0, 0);
	target.descriptor = -1;
}

/* The host may have closed what we held, and have another file under that number by now. */
static int held(void)
{
	return target.descriptor >= 0 && same_place(place_of(target.descriptor, ""), target.here) ? target.descriptor : -1;
}

/* By path, into the directory of the start, or into one that has been made anew since; not into a directory of that
 * name inside a new root. */
static bool path_holds(const char *path)
{
	return same_place(place_of(AT_FDCWD, "/"), target.root) || same_place(place_of(AT_FDCWD, path), target.here);
}

int file_prepare(struct report_file *file, pid_t pid, uint32_t sequence)
{
	struct text name = { file->name, sizeof(file->name) - 1, false };
	struct text temporary = { file->temporary, sizeof(file->temporary) - 1, false };
	int error = directory_path(file->path, sizeof(file->path), pid, sequence);

	file->name[0] = '\0';
	expand(&name, target.name, strlen(target.name), pid, sequence);
	put(&temporary, ".forkheld.", 10);
	put_number(&temporary, (uint64_t)pid);
	put(&temporary, ".", 1);
	put_number(&temporary, sequence);
	put(&temporary, ".tmp", 4);
	file->pid = pid;
	file->sequence = sequence;
	file->directory = held();
	if (error == 0 && file->directory < 0 && !path_holds(file->path))
		error = -EXDEV;
	return error ? error : name.overflow ? -ENAMETOOLONG : file->name[0] ? 0 : -EISDIR;
}

/* Return: a descriptor of the directory; *@opened tells whether it is to be closed again. */
static int directory(const struct report_file *file, bool *opened)
{
	int fd = file->directory;

	*opened = fd < 0;
	return *opened ? open_directory(file->path) : fd;
}

static void directory_done(int fd, bool opened)
{
	if (opened)
		os_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

int file_open(void *argument)
{
	struct report_file *file = argument;
	bool opened;
	int where = directory(file, &opened);
	long fd = -EEXIST, high;
	size_t end = strlen(file->temporary);

	if (where < 0)
		return where;
	/* A name that is taken is the leftover of a process that had this pid and was killed: not ours to remove. */
	for (unsigned i = 0; i < TEMPORARIES && fd == -EEXIST; i++) {
		if (i > 0) {
			struct text more = { file->temporary + end, sizeof(file->temporary) - 1 - end, false };

			put(&more, ".", 1);
			put_number(&more, i);
		}
		fd = os_call(SYS_openat, where, (long)file->temporary,
			     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600, 0,
			      0);
	}
	directory_done(where, opened);
	if (fd >= 0 && fd <= 2) {
		high = os_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3, 0, 0, 0);
		os_call(SYS_close, fd, 0, 0, 0, 0, 0);
		fd = high;
	}
	if (fd >= 0)
		os_call(SYS_fchmod, fd, 0600, 0, 0, 0, 0);
	return (int)fd;
}

/* Never over an existing file. Return: 0, -EEXIST, or another negative errno. */
static int publish_as(int where, const char *temporary, const char *name)
{
	long error = os_call(SYS_renameat2, where, (long)temporary, where, (long)name, RENAME_NOREPLACE, 0), placeholder;

	if (error == 0 || error == -EEXIST || (error != -EINVAL && error != -ENOSYS && error != -EPERM))
		return (int)error;
	/* Network and FUSE file systems, old kernels: take the name with an empty file of our own, then replace that. */
	placeholder = os_call(SYS_openat, where, (long)name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600, 0,
			      0);
	if (placeholder < 0)
		return (int)placeholder;
	os_call(SYS_close, placeholder, 0, 0, 0, 0, 0);
	error = os_call(SYS_renameat2, where, (long)temporary, where, (long)name, 0, 0);
	if (error < 0)
		os_call(SYS_unlinkat, where, (long)name, 0, 0, 0, 0);
	return (int)error;
}

static int publish(int where, const struct report_file *file)
{
	char name[FILE_NAME_ROOM + 8];
	int error = publish_as(where, file->temporary, file->name);

	for (unsigned i = 1; error == -EEXIST && i < SUFFIXES; i++) {
		struct text text = { name, sizeof(name) - 1, false };

		put(&text, file->name, strlen(file->name));
		put(&text, ".", 1);
		put_number(&text, i);
		error = publish_as(where, file->temporary, name);
	}
	return error;
}

int file_close(void *argument, int fd, bool good)
{
	const struct report_file *file = argument;
	bool opened;
	int where, error = (int)os_call(SYS_close, fd, 0, 0, 0, 0, 0); /* network file systems say "full" here */

	where = directory(file, &opened);
	if (where < 0)
		return where;
	if (good && error == 0)
		error = publish(where, file);
	if (!good || error < 0)
		os_call(SYS_unlinkat, where, (long)file->temporary, 0, 0, 0, 0);
	directory_done(where, opened);
	return error;
}

void file_discard(const struct report_file *file)
{
	bool opened;
	int where = directory(file, &opened);

	if (where < 0)
		return;
	os_call(SYS_unlinkat, where, (long)file->temporary, 0, 0, 0, 0);
	directory_done(where, opened);
}
