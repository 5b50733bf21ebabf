/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h - the parts that a compiler has made of one function: unlikely code stands elsewhere, with an entry of its
 * own in .eh_frame, and a stripped module does not say whose it is. */
#ifndef NATIVE_PARTS_H
#define NATIVE_PARTS_H
#include <stdbool.h>
#include <stdint.h>
#include "native/cfi.h"

#define PARTS_MOST 8u

struct parts {
	uintptr_t start[PARTS_MOST];  /* [0] is the function itself */
	unsigned count;
};

/* parts_find - @function's, told by its own code: it jumps to them, and they are entered by no call (cfi_entered).
 * Reads the code of @function. Return: false if nothing begins at @function. */
bool parts_find(const struct cfi_image *image, uintptr_t function, struct parts *parts);

static inline bool parts_hold(const struct parts *parts, uintptr_t start)
{
	for (unsigned i = 0; i < parts->count; i++)
		if (parts->start[i] == start)
			return true;
	return false;
}

#endif
