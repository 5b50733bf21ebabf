/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - functions (or plain texts) numbered from 0 in the order of their first appearance, equal ones alike. */
#ifndef TOOLS_NAMES_H
#define TOOLS_NAMES_H
#include <stddef.h>
#include <stdint.h>

struct name {
	const char *function, *file;    /* file: may be NULL */
	int64_t line;
};

/* Zeroed: empty. */
struct names {
	struct name *list;
	size_t count, room;
	size_t *slots, slot_count;      /* index + 1; 0: free */
};

/* names_add - the texts stay the caller's and must live as long as @names. Return: the index. */
size_t names_add(struct names *names, const char *function, const char *file, int64_t line);

void names_finish(struct names *names);

#endif
