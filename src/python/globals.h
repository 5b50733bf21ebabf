/* SPDX-License-Identifier: Apache-2.0 */
/* globals.h - does a function use a name of its module, or is that only among the names of its code? */
#ifndef PYTHON_GLOBALS_H
#define PYTHON_GLOBALS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* globals_used - is the global co_names[@index] loaded somewhere in @code (co_code, not specialised) for more than a
 * test for truth or against a constant? Attributes share co_names, and what is merely assigned to is there too. True
 * where the bytecode of @version is not known. Pure; any bytes are safe as @code. */
bool globals_used(unsigned version, const uint8_t *code, size_t size, uint32_t index);

#endif
