/* SPDX-License-Identifier: Apache-2.0 */
/* guarded.h - reading memory that the kernel's list calls readable may still fail (protection keys, a file that became
 * shorter, bad memory). What looks at all of it must not take the rest of the report along. */
#ifndef NATIVE_GUARDED_H
#define NATIVE_GUARDED_H
#include <stdbool.h>

/* guarded_call - @work(@argument); a fault in it ends it. Not nested. What it holds then is lost: for the frozen copy
 * alone, whose signal handlers it sets. Return: false if there was a fault. */
bool guarded_call(void (*work)(void *argument), void *argument);

#endif
