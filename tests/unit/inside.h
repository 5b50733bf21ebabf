/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - what the modules that a running Python loads for a test have in common. */
#ifndef TESTS_INSIDE_H
#define TESTS_INSIDE_H
#include <stddef.h>

#include "python/capi.h"
#include "python/layout.h"

/* inside_symbol - for capi_load and layout_attach: the interpreter's own, or NULL. */
void *inside_symbol(const char *name);

/* inside_attach_layout - for those that follow frames. Return: NULL, or why that cannot be. */
static inline const char *inside_attach_layout(void)
{
	if (!capi_load(inside_symbol))
		return capi_problem();
	return layout_attach(inside_symbol) ? NULL : "the layout does not fit";
}

#endif
