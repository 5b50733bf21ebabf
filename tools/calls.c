/* SPDX-License-Identifier: Apache-2.0 */
#include "calls.h"

#include <string.h>

#include "symbolize.h"
#include "text.h"

static bool begins(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* system_code - below the directories of the system's own programs, libraries and headers. /usr/local is whose it
 * is. */
static bool system_code(const char *path)
{
	static const char *const places[] = {"/usr/", "/lib/", "/lib32/", "/lib64/", "/bin/", "/sbin/", "linux-vdso"};

	if (begins(path, "/usr/local/"))
		return false;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (begins(path, places[i]))
			return true;
	return false;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* own_native - not the system's, nor the interpreter, nor an extension that was installed; of inlined code, not a
 * header's. */
static bool own_native(const struct frame *frame, const struct place *place)
{
	const char *path = frame->module ? frame->module->path : NULL;

	if (!path || system_code(path) || text_package(path))
		return false;
	if (begins(base_of(path), "libpython") || begins(base_of(path), "python"))
		return false;
	return !place->file || !system_code(place->file);
}

static struct call native_call(const struct frame *frame, const struct place *place, bool inlined)
{
	return (struct call){
		.frame = frame,
		.function = place->function ? place->function : "?",
		.place = *place,
		.inlined = inlined,
		.own = own_native(frame, place),
	};
}

struct calls calls_of(struct report *report, const struct stack *stack)
{
	size_t room = 0, count = 0;
	struct call *list;

	for (size_t i = 0; stack && i < stack->frame_count; i++) {
		symbols_find(report, stack->frames[i]);
		room += stack->frames[i]->place_count > 0 ? stack->frames[i]->place_count : 1;
	}
	list = pool_take(&report->pool, room, sizeof(*list));
	for (size_t i = 0; stack && i < stack->frame_count; i++) {
		const struct frame *frame = stack->frames[i];
		struct place unknown = {.function = frame->symbol, .line = UNKNOWN};

		if (!frame->native)
			list[count++] = (struct call){.frame = frame, .function = text_frame_name(frame),
				.place = frame->place, .own = text_own(frame)};
		else if (frame->place_count == 0)
			list[count++] = native_call(frame, &unknown, false);
		for (size_t j = 0; j < frame->place_count; j++)
			list[count++] = native_call(frame, &frame->places[j], j + 1 < frame->place_count);
	}
	return (struct calls){list, count};
}

/* of_allocation - code whose business is to allocate for others: libc's strdup, C++'s operator new and its
 * containers. */
static bool of_allocation(const struct call *call)
{
	static const char *const libraries[] = {"libc.so.", "libc-2.", "libstdc++.so.", "libc++.so.", "ld-musl-"};
	const char *path = call->frame->module ? call->frame->module->path : NULL;

	for (size_t i = 0; path && i < sizeof(libraries) / sizeof(libraries[0]); i++)
		if (begins(base_of(path), libraries[i]))
			return true;
	return call->inlined && call->place.file && system_code(call->place.file);
}

const struct call *calls_suspect(struct calls calls)
{
	for (size_t i = 0; i < calls.count; i++)
		if (!calls.list[i].frame->native)
			return &calls.list[i];
	for (size_t i = 0; i < calls.count; i++)
		if (!of_allocation(&calls.list[i]))
			return &calls.list[i];
	return calls.count > 0 ? &calls.list[0] : NULL;
}

const char *calls_place(struct report *report, const struct call *call)
{
	struct place place = call->place;

	if (!call->frame->native || !place.file)
		return text_frame_place(&report->pool, call->frame);
	return text_place(&report->pool, &place);
}

const char *calls_line(struct report *report, const struct call *call)
{
	return pool_print(&report->pool, "%-28s  %s%s%s%s", call->function, call->own ? style.strong : "",
		calls_place(report, call), call->own ? style.off : "", call->inlined ? "  (inlined)" : "");
}
