/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os.h"
#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* libc's wrapper reports through errno, which belongs to the host here. */
long os_call(long number, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	long result = syscall(number, a, b, c, d, e, f);

	if (result == -1)
		result = -errno;
	errno = saved;
	return result;
}

pid_t os_getpid(void)
{
	return (pid_t)syscall(SYS_getpid);
}

pid_t os_gettid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now = { 0, 0 };
	int saved = errno;

	clock_gettime(clock, &now);
	errno = saved;
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t os_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t os_realtime_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

/* The system call itself: a host may interpose mmap, and a sanitizer or an allocator does. */
static void *map(size_t size, int flags)
{
	long address = os_call(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	return address < 0 && address > -4096 ? NULL : (void *)address;
}

void *os_map(size_t size)
{
	return map(size, MAP_PRIVATE);
}

void *os_map_shared(size_t size)
{
	return map(size, MAP_SHARED);
}

void os_unmap(void *memory, size_t size)
{
	if (memory)
		os_call(SYS_munmap, (long)memory, (long)size, 0, 0, 0, 0);
}

int os_wait(const uint32_t *word, uint32_t value, uint64_t timeout_ns, bool shared)
{
	struct timespec limit = {
		.tv_sec = (time_t)(timeout_ns / 1000000000u),
		.tv_nsec = (long)(timeout_ns % 1000000000u),
	};

	return (int)os_call(SYS_futex, (long)word, FUTEX_WAIT | (shared ? 0 : FUTEX_PRIVATE_FLAG), (long)value,
			    timeout_ns == UINT64_MAX ? 0 : (long)&limit, 0, 0);
}

void os_wake(const uint32_t *word, bool shared)
{
	os_call(SYS_futex, (long)word, FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG), INT32_MAX, 0, 0, 0);
}

int os_write_all(int fd, const void *data, size_t size)
{
	const char *next = data;

	while (size > 0) {
		long written = os_call(SYS_write, fd, (long)next, (long)size, 0, 0, 0);

		if (written == -EINTR)
			continue;
		if (written < 0)
			return (int)written;
		if (written == 0)
			return -EIO;
		next += written;
		size -= (size_t)written;
	}
	return 0;
}
