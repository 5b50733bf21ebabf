/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "native/threads.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/os.h"

uint32_t threads_count(void)
{
	struct stat status;

	/* One link for each thread's directory, besides those for "." and "..": no list to read, no descriptor. */
	if (os_call(SYS_newfstatat, AT_FDCWD, (long)"/proc/self/task", (long)&status, 0, 0, 0) < 0 || status.st_nlink < 3)
		return 0;
	return (uint32_t)status.st_nlink - 2;
}

bool threads_alone(void)
{
	return threads_count() == 1;
}
