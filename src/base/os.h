/* SPDX-License-Identifier: Apache-2.0 */
/* os.h - the kernel, without libc's state: usable in signal handlers, vfork children and the frozen copy. */
#ifndef BASE_OS_H
#define BASE_OS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* os_getpid, os_gettid - raw system calls: never a cached value, so right in a vfork child and after a raw clone. */
pid_t os_getpid(void);
pid_t os_gettid(void);

/* os_monotonic_ns, os_realtime_ns - nanoseconds. Thread, signal, fork: safe. */
uint64_t os_monotonic_ns(void);
uint64_t os_realtime_ns(void);

/* os_utc - @time_ns (CLOCK_REALTIME) as RFC 3339 in UTC with microseconds, "2026-11-23T01:35:00.123456Z".
 * libc's gmtime_r and strftime wait for the time zone's lock: in the frozen copy another thread may hold it for ever.
 * Thread, signal, fork: safe. */
#define OS_UTC_ROOM 40
void os_utc(uint64_t time_ns, char text[OS_UTC_ROOM]);

/* os_map - anonymous private zeroed memory of @size bytes (rounded up to pages), or NULL; errno unchanged.
 * os_map_shared - the same, shared with copies and children.
 * os_unmap: gives it back. Signal, fork: safe. */
void *os_map(size_t size);
void *os_map_shared(size_t size);
void os_unmap(void *memory, size_t size);

/* os_readable - can the OS_READABLE_SIZE bytes at @address be read? One harmless system call, no descriptor; nothing is
 * mapped or copied by it. Thread, signal, fork: safe. errno unchanged. */
#define OS_READABLE_SIZE 8u
bool os_readable(uintptr_t address);

/* os_own - the @index-th range that os_map has given or os_own_add told of, so that nobody takes its words for the
 * host's; empty (0, 0) where it has been given back. Not every one: thousands may be more than are remembered. Return:
 * false past the last. */
bool os_own(uint32_t index, uintptr_t *start, uintptr_t *end);
void os_own_add(const void *memory, size_t size);

/* os_call - a system call that leaves errno alone. Return: the result, or a negative errno.
 * Thread, signal, fork: as the call itself. */
long os_call(long number, long a, long b, long c, long d, long e, long f);

/* What SYS_getdents64 gives. */
struct os_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

/* os_wait - sleep while *@word is @value, at most @timeout_ns (UINT64_MAX: for ever); os_wake - wake all sleepers.
 * @shared: @word lies in memory shared between processes. Wakes up for nothing at times: look at the word again.
 * Return: 0 or a negative errno (-EAGAIN the word differs, -EINTR, -ETIMEDOUT). */
int os_wait(const uint32_t *word, uint32_t value, uint64_t timeout_ns, bool shared);
void os_wake(const uint32_t *word, bool shared);

/* os_write_all - write all of @size bytes at @data to @fd, through EINTR and short writes.
 * Return: 0 or a negative errno. */
int os_write_all(int fd, const void *data, size_t size);

#endif
