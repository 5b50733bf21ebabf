/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "clean.h"

static const char *const report_words[] = {"auto", "always", "findings", NULL};
static const char *const alloc_words[] = {"all", "native", "python", "off", NULL};

/* The same table as the library's (src/base/options.c), which only warns: here a mistake stops before the run. */
static const struct key {
	const char *name;
	uint64_t least, most;
	bool size;              /* may end in K, M or G */
	const char *const *words; /* instead of a number: one of these, NULL at the end */
} keys[] = {
	{.name = "report", .words = report_words},
	{.name = "floor", .most = INT64_MAX, .size = true},
	{.name = "limit", .most = INT64_MAX},
	{.name = "repeat", .least = 1, .most = INT64_MAX},
	{.name = "timeout", .least = 1, .most = 1000000},
	{.name = "memory", .most = INT64_MAX, .size = true},
	{.name = "argv", .most = 1},
	{.name = "addresses", .most = 1},
	{.name = "alloc", .words = alloc_words},
	{.name = "frames", .least = 1, .most = 64},
	{.name = "sample", .most = INT64_MAX, .size = true},
	{.name = "sites", .most = INT64_MAX},
	{.name = "leaks", .most = 1},
	{.name = "stop", .most = 1},
};

static bool good_number(const struct key *key, const char *text, size_t length)
{
	unsigned shift = 0;
	uint64_t value = 0;

	if (key->size && length > 1) {
		char last = text[length - 1];

		shift = last == 'K' ? 10 : last == 'M' ? 20 : last == 'G' ? 30 : 0;
		length -= shift != 0;
	}
	if (length == 0 || length > 18)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	return value <= UINT64_MAX >> shift && value << shift >= key->least && value << shift <= key->most;
}

static bool good_value(const struct key *key, const char *text, size_t length)
{
	if (!key->words)
		return good_number(key, text, length);
	for (const char *const *word = key->words; *word; word++)
		if (strlen(*word) == length && memcmp(*word, text, length) == 0)
			return true;
	return false;
}

static const char *check_entry(const char *text, size_t length, char reason[160])
{
	const char *equals = memchr(text, '=', length);
	size_t key_length = equals ? (size_t)(equals - text) : length;
	char word[100], entry[80];

	snprintf(entry, sizeof(entry), "%.*s", (int)(length < sizeof(entry) ? length : sizeof(entry) - 1), text);
	clean_line(word, sizeof(word), entry);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strlen(keys[i].name) != key_length || memcmp(keys[i].name, text, key_length) != 0)
			continue;
		if (equals && good_value(&keys[i], equals + 1, length - key_length - 1))
			return NULL;
		snprintf(reason, 160, "bad value in '%s'", word);
		return reason;
	}
	snprintf(reason, 160, "unknown key in '%s'", word);
	return reason;
}

const char *options_check(const char *text, char reason[160])
{
	while (*text) {
		size_t length = strcspn(text, ":");
		const char *wrong = length > 0 ? check_entry(text, length, reason) : NULL;

		if (wrong)
			return wrong;
		text += length + (text[length] == ':');
	}
	return NULL;
}
