/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

static uint64_t mix(uint64_t hash, const char *text)
{
	for (; text && *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* slot_of - where @name is, or belongs. */
static size_t *slot_of(struct names *names, const struct name *name)
{
	uint64_t hash = mix(mix(UINT64_C(0xcbf29ce484222325), name->function), name->file) + (uint64_t)name->line;
	size_t at = (size_t)(hash ^ hash >> 32) & (names->slot_count - 1);

	for (; names->slots[at]; at = (at + 1) & (names->slot_count - 1)) {
		const struct name *other = &names->list[names->slots[at] - 1];

		if (other->line == name->line && same(other->function, name->function) &&
		    same(other->file, name->file))
			break;
	}
	return &names->slots[at];
}

static void grow(struct names *names)
{
	names->room = names->room ? names->room * 2 : 64;
	names->list = take_again(names->list, names->room, sizeof(*names->list));
	free(names->slots);
	names->slot_count = names->room * 2;
	names->slots = take(names->slot_count, sizeof(*names->slots));
	for (size_t i = 0; i < names->count; i++)
		*slot_of(names, &names->list[i]) = i + 1;
}

size_t names_add(struct names *names, const char *function, const char *file, int64_t line)
{
	struct name name = {function, file, line};
	size_t *slot;

	if (names->count == names->room)
		grow(names);
	slot = slot_of(names, &name);
	if (!*slot) {
		names->list[names->count++] = name;
		*slot = names->count;
	}
	return *slot - 1;
}

void names_finish(struct names *names)
{
	free(names->list);
	free(names->slots);
	*names = (struct names){0};
}
