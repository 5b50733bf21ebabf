/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verbs.h"

struct style style = {"", "", "", "", "", ""};

void text_start(void)
{
	const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

	if ((none && *none) || !isatty(STDOUT_FILENO) || !terminal || strcmp(terminal, "dumb") == 0)
		return;
	style = (struct style){"\033[1;31m", "\033[1;33m", "\033[1;36m", "\033[1m", "\033[2m", "\033[0m"};
}

int text_end(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "forkheld: standard output: %s\n", strerror(errno));
	return status == STATUS_GOOD || status == STATUS_FOUND ? STATUS_REPORT : status;
}

char *text_size(char word[WORD_SIZE], int64_t bytes)
{
	static const char *const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
	double size = (double)bytes / 1000;
	size_t unit = 0;

	if (bytes == UNKNOWN) {
		strcpy(word, "unknown size");
		return word;
	}
	if (bytes < 1000) {
		snprintf(word, WORD_SIZE, "%" PRId64 " byte%s", bytes, bytes == 1 ? "" : "s");
		return word;
	}
	/* 999.96 would be printed as 1000.0. */
	while (size >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		size /= 1000;
		unit++;
	}
	snprintf(word, WORD_SIZE, size < 9.95 ? "%.1f %s" : "%.0f %s", size, units[unit]);
	return word;
}

char *text_count(char word[WORD_SIZE], int64_t count, const char *noun)
{
	if (count == UNKNOWN)
		snprintf(word, WORD_SIZE, "an unknown number of %ss", noun);
	else
		snprintf(word, WORD_SIZE, "%" PRId64 " %s%s", count, noun, count == 1 ? "" : "s");
	return word;
}

char *text_time(char word[WORD_SIZE], int64_t ns)
{
	if (ns == UNKNOWN)
		strcpy(word, "-");
	else if (ns < 1000000)
		snprintf(word, WORD_SIZE, "%.1f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(word, WORD_SIZE, "%.1f ms", (double)ns / 1e6);
	else
		snprintf(word, WORD_SIZE, "%.1f s", (double)ns / 1e9);
	return word;
}

const char *text_level(enum level level)
{
	return level == LEVEL_ERROR ? style.error : level == LEVEL_WARNING ? style.warning : style.note;
}

const char *text_place(struct pool *pool, const struct place *place)
{
	if (!place->file)
		return NULL;
	if (place->line == UNKNOWN || place->line == 0)
		return place->file;
	return pool_print(pool, "%s:%" PRId64, place->file, place->line);
}

const struct frame *text_frame(const struct stack *stack)
{
	if (!stack || stack->frame_count == 0)
		return NULL;
	for (size_t i = 0; i < stack->frame_count; i++)
		if (!stack->frames[i]->native)
			return stack->frames[i];
	return stack->frames[0];
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash && slash[1] ? slash + 1 : path ? path : "unknown module";
}

const char *text_package(const char *file)
{
	static const char *const marks[] = {"/site-packages/", "/dist-packages/"};
	const char *library = strstr(file, "/lib/python3."), *found;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if ((found = strstr(file, marks[i])))
			return found + strlen(marks[i]);
	return library ? library + strlen("/lib/") : NULL;
}

bool text_own(const struct frame *frame)
{
	return !frame->native && frame->place.file && !text_package(frame->place.file) &&
		strncmp(frame->place.file, "<frozen ", 8) != 0;
}

const char *text_frame_name(const struct frame *frame)
{
	const char *name = frame->native ? frame->symbol : frame->place.function;

	return name ? name : "?";
}

const char *text_frame_place(struct pool *pool, const struct frame *frame)
{
	struct place place = frame->place;

	if (!frame->native && place.file) {
		place.file = text_package(place.file) ? text_package(place.file) : place.file;
		return text_place(pool, &place);
	}
	if (!frame->native || !frame->module)
		return "?";
	if (frame->offset == UNKNOWN)
		return base_name(frame->module->path);
	return pool_print(pool, "%s+0x%" PRIx64, base_name(frame->module->path), (uint64_t)frame->offset);
}

const char *text_type(struct pool *pool, const struct object *object)
{
	if (!object->module || !*object->module || strcmp(object->module, "builtins") == 0)
		return object->type;
	return pool_print(pool, "%s.%s", object->module, object->type);
}

const char *text_callable(struct pool *pool, const struct callable *callable)
{
	const char *name = callable->qualname ? callable->qualname : callable->symbol;

	if (callable->module && name)
		return pool_print(pool, "%s in %s", name, base_name(callable->module->path));
	if (callable->module && callable->offset != UNKNOWN)
		return pool_print(pool, "%s+0x%" PRIx64, base_name(callable->module->path), (uint64_t)callable->offset);
	if (callable->type && name)
		return pool_print(pool, "%s %s", callable->type, name);
	if (name)
		return name;
	return callable->type ? callable->type : "?";
}

const char *text_slot(struct pool *pool, const struct block *block)
{
	struct callable slot = {.module = block->slot_module, .symbol = block->slot_symbol, .offset = block->slot_offset};
	const char *name = text_callable(pool, &slot);

	return block->slot_closure ? pool_print(pool, "closure of %s", name) : name;
}

const char *text_path(struct pool *pool, const struct holder *holder, size_t first)
{
	size_t length = 1;
	char *text, *end;

	for (size_t i = first; i < holder->path_count; i++)
		length += strlen(holder->path[i]) + 1;
	end = text = pool_take(pool, length, 1);
	for (size_t i = first; i < holder->path_count; i++) {
		/* "module a.b" and "{set item}" stand alone; ".name" and "[key]" belong to what precedes. */
		if (end != text && holder->path[i][0] != '.' && holder->path[i][0] != '[')
			*end++ = ' ';
		end = stpcpy(end, holder->path[i]);
	}
	return text;
}

const char *text_phases(struct pool *pool, const struct registration *registration)
{
	const char *text = "";

	for (int phase = 0; phase < PHASES; phase++)
		if (registration->phases[phase])
			text = *text ? pool_print(pool, "%s, %s", text, phase_names[phase]) : phase_names[phase];
	return *text ? text : "no phase";
}

int64_t sum_of(int64_t a, int64_t b)
{
	int64_t sum;

	a = a == UNKNOWN ? 0 : a;
	b = b == UNKNOWN ? 0 : b;
	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}
