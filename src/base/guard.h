/* SPDX-License-Identifier: Apache-2.0 */
/* guard.h - "are we inside ourselves?", per thread (initial-exec TLS, 4 bytes). */
#ifndef BASE_GUARD_H
#define BASE_GUARD_H
#include <stdbool.h>

extern __thread unsigned guard_depth __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* guard_enter - Return: true if this call is the outermost; every guard_enter needs its guard_leave. */
static inline bool guard_enter(void) { return guard_depth++ == 0; }
static inline void guard_leave(void) { guard_depth--; }

#endif
