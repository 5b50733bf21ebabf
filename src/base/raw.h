/* SPDX-License-Identifier: Apache-2.0 */
/* raw.h - a system call and nothing besides: for a process that shares a thread's errno with the host. */
#ifndef BASE_RAW_H
#define BASE_RAW_H
#include <errno.h>

#if defined(__x86_64__) || defined(__aarch64__)
#define RAW_CALLS 1
#else
#define RAW_CALLS 0
#endif

/* raw_call - Return: the result, or a negative errno; -ENOSYS on processors that RAW_CALLS says 0 for. Thread, signal,
 * fork: as the call itself. */
static inline long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long fourth __asm__("r10") = d;
	register long fifth __asm__("r8") = e;
	register long sixth __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long which __asm__("x8") = number;
	register long first __asm__("x0") = a;
	register long second __asm__("x1") = b;
	register long third __asm__("x2") = c;
	register long fourth __asm__("x3") = d;
	register long fifth __asm__("x4") = e;
	register long sixth __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(first)
			 : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
			 : "memory");
	return first;
#else
	(void)number, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
	return -ENOSYS;
#endif
}

#endif
