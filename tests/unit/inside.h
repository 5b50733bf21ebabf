/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - what the modules that a running Python loads for a test have in common. */
#ifndef TESTS_INSIDE_H
#define TESTS_INSIDE_H

/* inside_symbol - for capi_load and layout_attach: the interpreter's own, or NULL. */
void *inside_symbol(const char *name);

#endif
