/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.h - whether somebody else has the lock that dl_iterate_phdr takes. A thread may stay in a callback of it, or
 * in a constructor, for as long as it likes; the host's end must not wait for that. Only glibc's from 2.34 on, and
 * before where threads are linked: elsewhere the lock is not found, and nothing is known.
 */
#ifndef NATIVE_LOADER_H
#define NATIVE_LOADER_H
#include <stdbool.h>
#include <stddef.h>

/* loader_learn - find the lock in [@data, @data + @size), the loader's own writable data, by what becomes of it while
 * this thread holds it. In the constructor. Calls dl_iterate_phdr. */
void loader_learn(const void *data, size_t size);

/* loader_comes_free - wait for the lock for a while. Return: false if another thread still has it. What is true may
 * change at once. Thread, fork: any. */
bool loader_comes_free(void);

#endif
