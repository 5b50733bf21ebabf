/* SPDX-License-Identifier: Apache-2.0 */
#include "native/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include "base/os.h"

#define WORD OS_READABLE_SIZE

bool memory_readable(uintptr_t address)
{
	return os_readable(address);
}

bool memory_range_readable(uintptr_t address, size_t size)
{
	uintptr_t last = address + size - WORD;

	if (size < WORD || last < address)
		return false;
	for (uintptr_t at = address; at < last; at = (at | (MEMORY_PAGE - 1)) + 1)
		if (!memory_readable(at))
			return false;
	return memory_readable(last);
}

/* A line of the list begins "START-END ": look whether one of them holds @address. @state carries over reads. */
struct range_reader {
	uintptr_t number, start, address;
	enum { IN_START, IN_END, IN_REST } part;
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool holds(struct range_reader *reader, const char *text, long size)
{
	for (long i = 0; i < size; i++) {
		if (reader->part == IN_REST) {
			if (text[i] == '\n')
				reader->part = IN_START;
			continue;
		}
		if (digit(text[i]) >= 0) {
			reader->number = reader->number << 4 | (uintptr_t)digit(text[i]);
			continue;
		}
		if (reader->part == IN_START)
			reader->start = reader->number;
		else if (reader->start <= reader->address && reader->address < reader->number)
			return true;
		reader->part = reader->part == IN_START ? IN_END : IN_REST;
		reader->number = 0;
	}
	return false;
}

bool memory_unmapped(uintptr_t address)
{
	struct range_reader reader = { .address = address };
	char text[1024];
	bool found = false;
	long fd, size;

	if (memory_readable(address))
		return false;
	fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return false;
	do {
		size = os_call(SYS_read, fd, (long)text, sizeof(text), 0, 0, 0);
		found = size > 0 && holds(&reader, text, size);
	} while (!found && (size > 0 || size == -EINTR));
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	/* A list that broke off proves nothing. */
	return !found && size == 0;
}
