/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Part of the kernel's interface; its header is not everywhere (musl). */
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_PRIVATE_FLAG 128

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

static void digits(char *end, uint64_t value, unsigned count)
{
	while (count-- > 0) {
		*--end = (char)('0' + value % 10);
		value /= 10;
	}
}

void os_utc(uint64_t time_ns, char text[OS_UTC_ROOM])
{
	static const uint16_t month_start[] = { 0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337 }; /* from March */
	uint64_t seconds = time_ns / 1000000000u, day = seconds / 86400 + 719468; /* since 1 March of the year 0 */
	uint64_t era = day / 146097, of_era = day % 146097;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned month = 11;

	while (of_year < month_start[month])
		month--;
	memcpy(text, "0000-00-00T00:00:00.000000Z", 28);
	digits(text + 4, era * 400 + year + (month >= 10), 4);
	digits(text + 7, (month + 2) % 12 + 1, 2);
	digits(text + 10, of_year - month_start[month] + 1, 2);
	digits(text + 13, seconds / 3600 % 24, 2);
	digits(text + 16, seconds / 60 % 60, 2);
	digits(text + 19, seconds % 60, 2);
	digits(text + 26, time_ns / 1000 % 1000000, 6);
}

bool os_readable(uintptr_t address)
{
	/* The kernel copies the set of signals in before it looks at "how", and refuses this "how": -EFAULT tells
	 * unreadable memory from readable (-EINVAL), and nothing is changed. process_vm_readv would do the same, but
	 * sandboxes kill for it, and in the frozen copy it makes a copy of each page that it looks at; every process
	 * may call rt_sigprocmask. */
	if (!address) /* would mean "no set" */
		return false;
	return os_call(SYS_rt_sigprocmask, ~0, (long)address, 0, OS_READABLE_SIZE, 0, 0) != -EFAULT;
}

/* The system call itself: a host may interpose mmap, and a sanitizer or an allocator does. */
static void *map(size_t size, int flags)
{
	long address = os_call(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	return address < 0 && address > -4096 ? NULL : (void *)address;
}

/* What os_map has given: a range is [start, end), 0 where there is none any more. */
#define OWN_MOST 8192u
static struct {
	uintptr_t start, end;
} own[OWN_MOST];
static uint32_t own_count;

void os_own_add(const void *memory, size_t size)
{
	uint32_t at;

	if (__atomic_load_n(&own_count, __ATOMIC_RELAXED) >= OWN_MOST)
		return;
	at = __atomic_fetch_add(&own_count, 1, __ATOMIC_RELAXED);
	if (at < OWN_MOST) {
		__atomic_store_n(&own[at].end, (uintptr_t)memory + size, __ATOMIC_RELAXED);
		__atomic_store_n(&own[at].start, (uintptr_t)memory, __ATOMIC_RELEASE);
	}
}

/* Before it is unmapped: afterwards it may be anybody's. What is left of a range on both sides is forgotten above. */
static void forget(uintptr_t start, uintptr_t end)
{
	for (uint32_t i = 0; i < OWN_MOST && i < __atomic_load_n(&own_count, __ATOMIC_RELAXED); i++) {
		uintptr_t from = __atomic_load_n(&own[i].start, __ATOMIC_ACQUIRE);
		uintptr_t to = __atomic_load_n(&own[i].end, __ATOMIC_RELAXED);

		if (!from || from >= end || to <= start)
			continue;
		if (from >= start)
			__atomic_store_n(&own[i].start, to <= end ? 0 : end, __ATOMIC_RELEASE);
		else
			__atomic_store_n(&own[i].end, start, __ATOMIC_RELAXED);
	}
}

bool os_own(uint32_t index, uintptr_t *start, uintptr_t *end)
{
	if (index >= OWN_MOST || index >= __atomic_load_n(&own_count, __ATOMIC_ACQUIRE))
		return false;
	*start = __atomic_load_n(&own[index].start, __ATOMIC_ACQUIRE);
	*end = *start ? __atomic_load_n(&own[index].end, __ATOMIC_RELAXED) : 0;
	return true;
}

void *os_map(size_t size)
{
	void *memory = map(size, MAP_PRIVATE);

	if (memory)
		os_own_add(memory, size);
	return memory;
}

void *os_map_shared(size_t size)
{
	return map(size, MAP_SHARED);
}

void os_unmap(void *memory, size_t size)
{
	if (!memory)
		return;
	forget((uintptr_t)memory, (uintptr_t)memory + size);
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
