/* SPDX-License-Identifier: Apache-2.0 */
/* threads.h - how many threads this process has, and which this one is. */
#ifndef NATIVE_THREADS_H
#define NATIVE_THREADS_H
#include <stdbool.h>
#include <stdint.h>

/* threads_count - 0 where it cannot be known. One system call. Signal: safe. errno unchanged. */
uint32_t threads_count(void);

/* threads_alone - surely only this one: whatever takes the loader's lock (dlopen, dlsym) cannot be waited for by a
 * thread that we in turn hold up. False where it cannot be known. One system call. Signal: safe. errno unchanged. */
bool threads_alone(void);

/* threads_pointer - what this thread's thread-local variables are found by; libc's record of the thread lies there. */
static inline uintptr_t threads_pointer(void)
{
	uintptr_t pointer;

#if defined(__x86_64__)
	__asm__("movq %%fs:0, %0" : "=r"(pointer));
#else
	__asm__("mrs %0, tpidr_el0" : "=r"(pointer));
#endif
	return pointer;
}

#endif
