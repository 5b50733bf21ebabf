/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for a libFuzzer target where there is no libFuzzer: it mutates the files that it is given, until the time
 * is over. Without coverage it relies on mutations that keep JSON whole: values and pieces exchanged between files.
 *
 *	mutate [-max_total_time=SECONDS] [-seed=N] FILE...
 *
 * What made the target fail is left in crash-input.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*callback)(void));

#define ROOM ((size_t)1 << 20)
#define FILES 64
#define HANG_SECONDS 20

struct input {
	char *bytes;
	size_t size;
};

static struct input corpus[FILES];
static size_t corpus_count;
static char current[ROOM];
static size_t current_size;
static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static size_t below(size_t limit)
{
	return limit ? next_random() % limit : 0;
}

static void save_current(void)
{
	int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd >= 0 && write(fd, current, current_size) >= 0)
		close(fd);
}

static void on_signal(int number)
{
	save_current();
	signal(number, SIG_DFL);
	raise(number);
}

/* replace - @length bytes at @at of the current input by @size bytes of @bytes. */
static void replace(size_t at, size_t length, const char *bytes, size_t size)
{
	if (at > current_size || length > current_size - at || current_size - length + size > ROOM)
		return;
	memmove(current + at + size, current + at + length, current_size - at - length);
	memcpy(current + at, bytes, size);
	current_size = current_size - length + size;
}

static void flip(void)
{
	if (current_size > 0)
		current[below(current_size)] ^= (char)(1u << below(8));
}

static void cut(void)
{
	size_t at = below(current_size);

	replace(at, below(current_size - at < 200 ? current_size - at : 200), "", 0);
}

static void truncate_end(void)
{
	if (below(20) == 0)
		current_size = below(current_size);
}

static void word(void)
{
	static const char *const words[] = {
		"null", "true", "false", "0", "-1", "1", "5", "9223372036854775807", "9223372036854775808",
		"-9223372036854775808", "1e308", "1e999", "1.5", "\"\"", "\"\\u0000\"", "\"\\u001b[2J\"", "\"\\ud800\"",
		"[]",
		"{}", "[[]]", "[{}]", "\xff", "\xed\xa0\x80", "\xc2\x9b", "\"fork-only\"", "\"joint\"", "\"native\"",
		"\"python\"", "\"own\"", "\"FH001\"", "\"FH005\"", "\"error\"", ",", ":", "\"id\":0,",
		"\"kind\":\"native\",",
	};
	const char *chosen = words[below(sizeof(words) / sizeof(words[0]))];

	replace(below(current_size), below(4), chosen, strlen(chosen));
}

/* value_at - where the JSON value that begins at or behind @at lies, told by brackets and quotes alone. */
static size_t value_at(const char *bytes, size_t size, size_t at, size_t *length)
{
	size_t start, depth = 0;

	while (at < size && bytes[at] != ':' && bytes[at] != ',' && bytes[at] != '[')
		at++;
	for (at++; at < size && (bytes[at] == ' ' || bytes[at] == '\n');)
		at++;
	start = at;
	for (; at < size; at++) {
		if (bytes[at] == '"') {
			for (at++; at < size && bytes[at] != '"'; at++)
				at += bytes[at] == '\\';
		} else if (bytes[at] == '[' || bytes[at] == '{') {
			depth++;
		} else if (bytes[at] == ']' || bytes[at] == '}') {
			if (depth-- <= 1) {
				at += depth == 0;
				break;
			}
		} else if (bytes[at] == ',' && depth == 0) {
			break;
		}
	}
	at = at > size ? size : at;
	*length = start < at ? at - start : 0;
	return start < size ? start : size;
}

/* graft - a value of some file in place of a value of this one: mostly still JSON, with the wrong meaning. */
static void graft(void)
{
	const struct input *from = &corpus[below(corpus_count)];
	size_t length, other_length, at = value_at(current, current_size, below(current_size), &length);
	size_t other = value_at(from->bytes, from->size, below(from->size), &other_length);

	replace(at, length, from->bytes + other, other_length);
}

static void value_word(void)
{
	static const char *const words[] = {"null", "0", "1", "2", "99", "9223372036854775807", "\"x\"", "[]", "{}",
		"true"};
	const char *chosen = words[below(sizeof(words) / sizeof(words[0]))];
	size_t length, at = value_at(current, current_size, below(current_size), &length);

	replace(at, length, chosen, strlen(chosen));
}

/* digit - another id: the commonest way to a dangling or doubled one. */
static void digit(void)
{
	for (int tries = 0; tries < 50 && current_size > 0; tries++) {
		size_t at = below(current_size);

		if (current[at] >= '0' && current[at] <= '9') {
			current[at] = (char)('0' + below(10));
			return;
		}
	}
}

static void mutate(void)
{
	static void (*const ways[])(void) = {flip, cut, truncate_end, word, graft, graft, value_word, value_word, digit,
		digit};
	const struct input *base = &corpus[below(corpus_count)];

	memcpy(current, base->bytes, base->size);
	current_size = base->size;
	for (size_t i = below(6) + 1; i > 0; i--)
		ways[below(sizeof(ways) / sizeof(ways[0]))]();
}

static void read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file || corpus_count == FILES) {
		fprintf(stderr, "mutate: cannot take %s\n", path);
		exit(2);
	}
	size = fread(current, 1, ROOM, file);
	fclose(file);
	corpus[corpus_count] = (struct input){malloc(size + 1), size};
	if (!corpus[corpus_count].bytes)
		exit(2);
	memcpy(corpus[corpus_count++].bytes, current, size);
}

int main(int argc, char **argv)
{
	unsigned long seconds = 10, runs = 0;
	time_t end;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "-max_total_time=", 16) == 0)
			seconds = strtoul(argv[i] + 16, NULL, 10);
		else if (strncmp(argv[i], "-seed=", 6) == 0)
			state ^= strtoull(argv[i] + 6, NULL, 10) << 20;
		else
			read_file(argv[i]);
	}
	if (corpus_count == 0) {
		fputs("mutate: no file\n", stderr);
		return 2;
	}
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	__sanitizer_set_death_callback(save_current);
	end = time(NULL) + (time_t)seconds;
	for (; time(NULL) < end; runs++) {
		mutate();
		alarm(HANG_SECONDS);
		LLVMFuzzerTestOneInput((const uint8_t *)current, current_size);
	}
	alarm(0);
	printf("%lu inputs, none failed\n", runs);
	return 0;
}
