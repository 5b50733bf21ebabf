/* SPDX-License-Identifier: Apache-2.0 */
/* leaks.h - the blocks of the malloc family that nothing leads to, by the place where they were allocated: what
 * LeakSanitizer asks as well. Runs in the frozen copy. */
#ifndef REPORT_LEAKS_H
#define REPORT_LEAKS_H
#include <stdint.h>

#include "native/roots.h"

struct leak_site {
	uint32_t node;           /* innermost frame in the call tree */
	uint32_t stack;
	uint64_t count, bytes;
};

struct leaks {
	uint64_t count, bytes;
	struct leak_site *sites; /* most bytes first */
	uint32_t site_count;
};

/* leaks_find - what ld.so allocated is not judged. Return: 0 or -ENOMEM. Given back with the copy's heap. */
int leaks_find(struct leaks *leaks, const struct roots *roots);

#endif
