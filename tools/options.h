/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - FORKHELD_OPTIONS as the library reads it, checked before a command starts. */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H
#include <stdbool.h>

/* options_check - is @text key=value:key=value with known keys and good values?
 * Return: NULL, or the reason in @reason. */
const char *options_check(const char *text, char reason[160]);

#endif
