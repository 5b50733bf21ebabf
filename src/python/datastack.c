/* SPDX-License-Identifier: Apache-2.0 */
#include "python/datastack.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/os.h"
#include "python/capi.h"

#define SINCE 0x030b
#define STATE 640u             /* bytes of a thread state that are looked at */
#define LEAST 0x4000u          /* CPython's smallest chunk */
#define MOST ((uintptr_t)1 << 32)

/* A chunk begins with the one before it, its size, and how much of it was in use when the next one was begun. */
struct chunk {
	uintptr_t previous, size, top;
};

/* In a thread state, where its chunk is followed by the place of its next frame and by its end. */
struct place {
	uintptr_t chunk, next, end;
};

static bool fits(const struct place *place)
{
	uintptr_t size = place->end - place->chunk;

	return place->chunk && place->chunk % 16 == 0 && size >= LEAST && size < MOST && (size & (size - 1)) == 0 &&
	       place->next >= place->chunk + sizeof(struct chunk) && place->next <= place->end && place->next % 8 == 0 &&
	       os_readable(place->chunk + sizeof(uintptr_t)) && ((const struct chunk *)place->chunk)->size == size;
}

static const struct place *find(uintptr_t thread)
{
	for (uintptr_t at = thread; at + sizeof(struct place) <= thread + STATE; at += sizeof(uintptr_t)) {
		if (!os_readable(at + sizeof(struct place) - sizeof(uintptr_t)))
			return NULL;
		if (fits((const struct place *)at))
			return (const struct place *)at;
	}
	return NULL;
}

void datastack_rests(void (*visit)(void *context, uintptr_t start, uintptr_t end), void *context)
{
	if (py.version < SINCE || !py.PyInterpreterState_ThreadHead || !py.PyThreadState_Next)
		return;
	void *thread = py.PyInterpreterState_ThreadHead(py.PyInterpreterState_Get());
	for (; thread; thread = py.PyThreadState_Next(thread)) {
		const struct place *place = find((uintptr_t)thread);
		if (place && place->next < place->end)
			visit(context, place->next, place->end);
	}
}
