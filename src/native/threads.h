/* SPDX-License-Identifier: Apache-2.0 */
/* threads.h - how many threads this process has. */
#ifndef NATIVE_THREADS_H
#define NATIVE_THREADS_H
#include <stdbool.h>

/* threads_alone - surely only this one: whatever takes the loader's lock (dlopen, dlsym) cannot be waited for by a
 * thread that we in turn hold up. False where it cannot be known. One system call. Signal: safe. errno unchanged. */
bool threads_alone(void);

#endif
