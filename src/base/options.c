/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include "base/arena.h"
#include "base/os.h"
#include "forkheld/report.h"

#define NOTES 16u
#define PATH_ROOM 4096
#define QUOTED 64u /* bytes of a bad entry that are repeated to the user */

struct options options = {
	.output = FORKHELD_DEFAULT_OUTPUT,
	.report = REPORT_AUTO,
	.floor = 4096,
	.limit = 10000,
	.repeat = 8,
	.timeout = 60,
	.memory = (uint64_t)4 << 30,
	.alloc = ALLOC_ALL,
	.frames = OPTIONS_FRAMES_MOST,
	.sites = 100,
	.stop = true,
};

static struct arena arena;
static const char *notes[NOTES];
static unsigned note_count;

const char *options_note(unsigned index)
{
	return index < note_count ? notes[index] : NULL;
}

/* One line for the user and one note for the report. Descendants keep quiet: the first process of the tree has
 * said it already. */
static void complain(const char *what, const char *text, size_t length)
{
	char line[160] = "forkheld: options: ";
	size_t prefix = strlen("forkheld: "), used = strlen(line);

	memcpy(line + used, what, strlen(what));
	used += strlen(what);
	line[used++] = ' ';
	line[used++] = '\'';
	for (size_t i = 0; i < length && i < QUOTED; i++)
		line[used++] = (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
	line[used++] = '\'';
	if (note_count < NOTES) {
		notes[note_count] = arena_strndup(&arena, line + prefix, used - prefix);
		note_count += notes[note_count] != NULL;
	}
	line[used++] = '\n';
	if (!getenv(FORKHELD_ENV_TREE))
		os_write_all(2, line, used);
}

/* Decimal digits and, for sizes, one of K, M, G. */
static bool number(const char *text, size_t length, uint64_t least, uint64_t most, bool size, uint64_t *value)
{
	uint64_t result = 0;
	unsigned shift = 0;

	if (size && length > 1) {
		char last = text[length - 1];

		shift = last == 'K' ? 10 : last == 'M' ? 20 : last == 'G' ? 30 : 0;
		length -= shift != 0;
	}
	if (length == 0 || length > 18)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		result = result * 10 + (uint64_t)(text[i] - '0');
	}
	if (result > UINT64_MAX >> shift || result << shift < least || result << shift > most)
		return false;
	*value = result << shift;
	return true;
}

static bool flag(const char *text, size_t length, bool *value)
{
	uint64_t parsed;

	if (!number(text, length, 0, 1, false, &parsed))
		return false;
	*value = parsed == 1;
	return true;
}

/* word - the index of @text in @words (NULL at the end), or -1. */
static int word(const char *text, size_t length, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strlen(words[i]) == length && memcmp(words[i], text, length) == 0)
			return i;
	return -1;
}

static bool policy(const char *text, size_t length)
{
	static const char *const names[] = { "auto", "always", "findings", NULL };
	int index = word(text, length, names);

	if (index >= 0)
		options.report = (enum report_policy)index;
	return index >= 0;
}

static bool allocations(const char *text, size_t length)
{
	static const char *const names[] = { "all", "native", "python", "off", NULL };
	int index = word(text, length, names);

	if (index >= 0)
		options.alloc = (enum alloc_policy)index;
	return index >= 0;
}

enum option_key {
	KEY_REPORT, KEY_FLOOR, KEY_LIMIT, KEY_REPEAT, KEY_TIMEOUT, KEY_MEMORY, KEY_ARGV, KEY_ADDRESSES,
	KEY_ALLOC, KEY_FRAMES, KEY_SAMPLE, KEY_SITES, KEY_LEAKS, KEY_STOP, KEYS
};
static const char *const keys[KEYS] = {
	"report", "floor", "limit", "repeat", "timeout", "memory", "argv", "addresses", "alloc", "frames",
	"sample", "sites", "leaks", "stop"
};

static bool assign(enum option_key key, const char *text, size_t length)
{
	switch (key) {
	case KEY_REPORT:
		return policy(text, length);
	case KEY_FLOOR:
		return number(text, length, 0, INT64_MAX, true, &options.floor);
	case KEY_LIMIT:
		return number(text, length, 0, INT64_MAX, false, &options.limit);
	case KEY_REPEAT:
		return number(text, length, 1, INT64_MAX, false, &options.repeat);
	case KEY_TIMEOUT:
		return number(text, length, 1, 1000000, false, &options.timeout);
	case KEY_MEMORY:
		return number(text, length, 0, INT64_MAX, true, &options.memory);
	case KEY_ARGV:
		return flag(text, length, &options.argv);
	case KEY_ADDRESSES:
		return flag(text, length, &options.addresses);
	case KEY_ALLOC:
		return allocations(text, length);
	case KEY_FRAMES:
		return number(text, length, 1, OPTIONS_FRAMES_MOST, false, &options.frames);
	case KEY_SAMPLE:
		return number(text, length, 0, INT64_MAX, true, &options.sample);
	case KEY_SITES:
		return number(text, length, 0, INT64_MAX, false, &options.sites);
	case KEY_LEAKS:
		return flag(text, length, &options.leaks);
	case KEY_STOP:
		return flag(text, length, &options.stop);
	default:
		return false;
	}
}

static void entry(const char *text, size_t length)
{
	const char *equals = memchr(text, '=', length);
	size_t key_length = equals ? (size_t)(equals - text) : length;

	for (int key = 0; key < KEYS; key++) {
		if (strlen(keys[key]) != key_length || memcmp(keys[key], text, key_length) != 0)
			continue;
		if (!equals || !assign((enum option_key)key, equals + 1, length - key_length - 1))
			complain("bad value", text, length);
		return;
	}
	complain("unknown key", text, key_length);
}

/* The pattern is expanded at the report, when the host may long be elsewhere. A '%' in the directory's own name must
 * not be taken for a pattern. */
static const char *absolute(const char *pattern)
{
	char here[PATH_ROOM], *path;
	size_t used = 0, length = strlen(pattern);

	if (pattern[0] == '/' || os_call(SYS_getcwd, (long)here, sizeof(here), 0, 0, 0, 0) <= 0 || here[0] != '/')
		return pattern;
	path = arena_alloc(&arena, 2 * strlen(here) + length + 2);
	if (!path)
		return pattern;
	for (const char *from = here; *from; from++) {
		if (*from == '%')
			path[used++] = '%';
		path[used++] = *from;
	}
	if (path[used - 1] != '/')
		path[used++] = '/';
	memcpy(path + used, pattern, length);
	return path;
}

void options_init(void)
{
	const char *output = getenv(FORKHELD_ENV_OUTPUT), *text = getenv(FORKHELD_ENV_OPTIONS);

	if (!output || !*output)
		output = FORKHELD_DEFAULT_OUTPUT;
	else if (output[0] == '/') /* the environment is the host's to change */
		output = arena_strndup(&arena, output, strlen(output));
	options.output = absolute(output ? output : FORKHELD_DEFAULT_OUTPUT);
	while (text && *text) {
		size_t length = strcspn(text, ":");

		if (length > 0)
			entry(text, length);
		text += length + (text[length] == ':');
	}
}
