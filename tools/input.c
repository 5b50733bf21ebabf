/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pool.h"

#define SIZE_LIMIT ((size_t)1 << 30)
#define STEP ((size_t)64 << 10)

static const char *read_all(int fd, char **bytes, size_t *size)
{
	size_t room = 0, used = 0;
	char *memory = NULL;
	ssize_t got;

	do {
		if (room - used < STEP) {
			room = room ? room * 2 : STEP * 2;
			memory = take_again(memory, room, 1);
		}
		got = read(fd, memory + used, room - used - 1);
		if (got > 0)
			used += (size_t)got;
	} while ((got > 0 && used <= SIZE_LIMIT) || (got < 0 && errno == EINTR));
	if (got != 0) {
		free(memory);
		return got < 0 ? strerror(errno) : "is larger than 1 GiB";
	}
	memory[used] = '\0';
	*bytes = memory;
	*size = used;
	return NULL;
}

const char *input_read(const char *file, char **bytes, size_t *size)
{
	const char *reason;
	struct stat info;
	int fd;

	if (strcmp(file, "-") == 0)
		return read_all(STDIN_FILENO, bytes, size);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode))
		reason = "is a directory";
	else
		reason = read_all(fd, bytes, size);
	close(fd);
	return reason;
}
