/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "native/roots.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include "base/os.h"
#include "native/memory.h"
#include "native/stacks.h"

#define FIRST_ROOM 1024u
#define LINE 320u          /* of a line as much as is looked at: longer paths are cut */
#define LARGE ((uintptr_t)4 << 20)  /* from here on it pays to ask which pages there are */
#define VECTOR 4096u

struct line {
	uintptr_t start, end;
	const char *access, *path;
};

static const char *number(const char *text, uintptr_t *value)
{
	for (*value = 0;; text++) {
		if (*text >= '0' && *text <= '9')
			*value = *value << 4 | (uintptr_t)(*text - '0');
		else if (*text >= 'a' && *text <= 'f')
			*value = *value << 4 | (uintptr_t)(*text - 'a' + 10);
		else
			return text;
	}
}

/* "START-END rwxp OFFSET DEVICE INODE   PATH" */
static bool parse(const char *text, struct line *line)
{
	text = number(text, &line->start);
	if (*text++ != '-')
		return false;
	text = number(text, &line->end);
	if (*text++ != ' ' || strlen(text) < 5)
		return false;
	line->access = text;
	for (unsigned field = 0; field < 4; field++) {
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
	line->path = text;
	return line->start < line->end;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Shared, but nobody's file. */
static bool shared_memory(const char *path)
{
	static const char *const kinds[] = { "/dev/zero", "/memfd:", "/dev/shm/", "/SYSV" };

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (begins(path, kinds[i]))
			return true;
	return false;
}

/* glibc, whose free lists point at the last word of the block before. */
static bool is_libc(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return begins(name, "libc.so.") || begins(name, "libc-2.");
}

/* Return: false if no pointer can lie there, or it must not be read. */
static bool classify(const struct line *line, enum root_kind *kind)
{
	bool anonymous = !*line->path || begins(line->path, "[anon"), writable = line->access[1] == 'w';

	if (line->access[0] != 'r')
		return false;
	if (line->access[3] == 's') {
		*kind = ROOT_FILE;
		return shared_memory(line->path);
	}
	*kind = anonymous || begins(line->path, "[stack") ? ROOT_MEMORY : is_libc(line->path) ? ROOT_LIBC : ROOT_FILE;
	if (begins(line->path, "[heap]")) {
		*kind = ROOT_HEAP;
		return true;
	}
	if (anonymous || begins(line->path, "[stack"))
		return true;
	/* "[vvar]" and the like; devices: reading can do something. */
	return writable && line->path[0] == '/' && (!begins(line->path, "/dev/") || shared_memory(line->path));
}

static bool add(struct roots *roots, const struct root_span *span)
{
	if (roots->count == roots->room) {
		uint32_t room = roots->room ? 2 * roots->room : FIRST_ROOM;
		struct root_span *larger = os_map(room * sizeof(*larger));

		if (!larger)
			return false;
		if (roots->count)
			memcpy(larger, roots->spans, roots->count * sizeof(*larger));
		if (roots->spans)
			os_unmap(roots->spans, roots->room * sizeof(*larger));
		roots->spans = larger;
		roots->room = room;
	}
	roots->spans[roots->count++] = *span;
	return true;
}

struct reading {
	struct roots *roots;
	const struct halted *halted;
	struct stacks stacks;
	uintptr_t libc_end;
};

/* What lies in it and is this library's own memory is left out. */
static bool add_host(struct roots *roots, struct root_span span)
{
	uintptr_t start, end, next;

	for (uintptr_t from = span.start; from < span.end; from = next) {
		uintptr_t low = span.end;

		next = span.end;
		for (uint32_t i = 0; os_own(i, &start, &end); i++) {
			if (end <= from || start >= low)
				continue;
			low = start;
			next = end;
		}
		if (from < low && !add(roots, &(struct root_span){ from, low, span.kind }))
			return false;
	}
	return true;
}

/* Nor what is not in use of stacks. */
static bool add_used(struct reading *reading, struct root_span span)
{
	const struct stack_rest *rest;

	while ((rest = stacks_rest(&reading->stacks, span.start)) && rest->start < span.end) {
		if (span.start < rest->start &&
		    !add_host(reading->roots, (struct root_span){ span.start, rest->start, span.kind }))
			return false;
		span.start = rest->end < span.end ? rest->end : span.end;
	}
	return span.start >= span.end || add_host(reading->roots, span);
}

/* Of the memory in which they came to the copy, the words: shared memory like another's, and so by now on the list. */
static void cut_to_registers(const struct halted *halted, struct root_span *span)
{
	uintptr_t words = (uintptr_t)halted->words;

	if (words < span->start || words >= span->end)
		return;
	*span = (struct root_span){ words, words + halted->used, ROOT_MEMORY };
}

static bool use_mapping(void *argument, const char *text)
{
	struct reading *reading = argument;
	struct line line;
	struct root_span span;

	if (!parse(text, &line))
		return false;
	if (!classify(&line, &span.kind))
		return true;
	span.start = line.start;
	span.end = line.end;
	/* The data of libc that no file holds. */
	if (span.kind == ROOT_LIBC)
		reading->libc_end = span.end;
	else if (span.kind == ROOT_MEMORY && span.start == reading->libc_end)
		span.kind = ROOT_LIBC;
	if (begins(line.path, "[stack"))
		span.start = stacks_first(&reading->stacks, span.start, span.end);
	if (reading->halted)
		cut_to_registers(reading->halted, &span);
	return add_used(reading, span);
}

/* each_line - of the file at @path, until @use returns false. Return: 0 or a negative errno; -EIO if it did. */
static int each_line(const char *path, bool (*use)(void *argument, const char *text), void *argument)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0), size;
	char text[4096], line[LINE];
	unsigned length = 0;
	int result = 0;

	if (fd < 0)
		return (int)fd;
	do {
		size = os_call(SYS_read, fd, (long)text, sizeof(text), 0, 0, 0);
		for (long i = 0; i < size && result == 0; i++) {
			if (text[i] != '\n') {
				if (length < LINE - 1)
					line[length++] = text[i];
				continue;
			}
			line[length] = '\0';
			length = 0;
			if (!use(argument, line))
				result = -EIO;
		}
	} while (result == 0 && (size > 0 || size == -EINTR));
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	return result < 0 ? result : size < 0 ? (int)size : 0;
}

static bool use_status(void *argument, const char *text)
{
	struct roots *roots = argument;

	if (begins(text, "VmSwap:"))
		roots->swapped = strpbrk(text, "123456789") != NULL;
	return true;
}

int roots_read(struct roots *roots, uintptr_t sp, const struct halted *halted)
{
	struct reading reading = { .roots = roots, .halted = halted };
	int result;

	memset(roots, 0, sizeof(*roots));
	roots->swapped = true;
	if (!stacks_read(&reading.stacks, sp, halted))
		return -ENOMEM;
	result = each_line("/proc/self/maps", use_mapping, &reading);
	if (result == 0)
		each_line("/proc/self/status", use_status, roots);
	stacks_finish(&reading.stacks);
	if (result < 0)
		roots_finish(roots);
	return result;
}

/* Asked in pages of the size that is wanted here. */
static bool small_pages(void)
{
	return getauxval(AT_PAGESZ) == MEMORY_PAGE;
}

static void visit_readable(uintptr_t start, uintptr_t end, void (*visit)(void *, uintptr_t, uintptr_t), void *argument)
{
	while (start < end) {
		uintptr_t next = (start | (MEMORY_PAGE - 1)) + 1;

		next = next < end ? next : end;
		if (memory_readable(start & ~(uintptr_t)(MEMORY_PAGE - 1)))
			visit(argument, start, next);
		start = next;
	}
}

/* Reservations may be far larger than memory. What is in swap space does not count as resident. */
static void visit_resident(uintptr_t start, uintptr_t end, void (*visit)(void *, uintptr_t, uintptr_t), void *argument)
{
	unsigned char resident[VECTOR];

	while (start < end) {
		uintptr_t page = start & ~(uintptr_t)(MEMORY_PAGE - 1), most = page + VECTOR * (uintptr_t)MEMORY_PAGE;
		uintptr_t stop = end < most ? end : most;
		bool known = os_call(SYS_mincore, (long)page, (long)(stop - page), (long)resident, 0, 0, 0) == 0;

		while (start < stop) {
			uintptr_t at = start, next;

			if (known && !(resident[(at - page) / MEMORY_PAGE] & 1)) {
				start = (at | (MEMORY_PAGE - 1)) + 1;
				continue;
			}
			for (next = at; next < stop && (!known || resident[(next - page) / MEMORY_PAGE] & 1);)
				next = (next | (MEMORY_PAGE - 1)) + 1;
			next = next < stop ? next : stop;
			visit(argument, at, next);
			start = next;
		}
		start = stop;
	}
}

void roots_visit(const struct roots *roots, const struct root_span *span, uintptr_t start, uintptr_t end,
		 void (*visit)(void *argument, uintptr_t start, uintptr_t end), void *argument)
{
	if (span->kind == ROOT_FILE || span->kind == ROOT_LIBC)
		visit_readable(start, end, visit, argument);
	else if (end - start >= LARGE && !roots->swapped && small_pages())
		visit_resident(start, end, visit, argument);
	else if (start < end)
		visit(argument, start, end);
}

const struct root_span *roots_find(const struct roots *roots, uintptr_t address)
{
	uint32_t low = 0, high = roots->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (roots->spans[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < roots->count && roots->spans[low].start <= address ? &roots->spans[low] : NULL;
}

bool roots_readable(const struct roots *roots, uintptr_t start, uintptr_t end, uint32_t *from)
{
	uint32_t at;

	while (*from < roots->count && roots->spans[*from].end <= start)
		++*from;
	for (at = *from; at < roots->count && roots->spans[at].start <= start; at++) {
		if (end <= roots->spans[at].end)
			return true;
		start = roots->spans[at].end;
	}
	return false;
}

void roots_cut(struct roots *roots, uintptr_t start, uintptr_t end)
{
	for (uint32_t i = 0; i < roots->count; i++) {
		struct root_span *span = &roots->spans[i], rest = { end, span->end, span->kind };

		if (span->end <= start || span->start >= end)
			continue;
		if (span->start < start && rest.start < rest.end) {
			if (!add(roots, &rest))
				return;
			span = &roots->spans[i];
			memmove(span + 2, span + 1, (roots->count - i - 2) * sizeof(*span));
			span[1] = rest;
			span->end = start;
			return;
		}
		if (span->start < start)
			span->end = start;
		else
			span->start = end < span->end ? end : span->end;
	}
}

void roots_finish(struct roots *roots)
{
	if (roots->spans)
		os_unmap(roots->spans, roots->room * sizeof(*roots->spans));
	roots->spans = NULL;
	roots->count = roots->room = 0;
}
