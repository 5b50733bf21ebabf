/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_weakcall CORPUS - weakcall and its table of opcodes against what weakcall_corpus.py wrote with a real Python;
 * then the same code with bytes changed at random, which must end, in time, without touching foreign memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "python/opcodes.h"
#include "python/weakcall_machine.h"

#define NAMES_MAX 1024u
#define SOURCES_MAX 16u
#define MUTANTS 100u
#define SLOW_SECONDS 2

static unsigned failures, cases;
static unsigned version;

struct code_case {
	char name[64], verdict[16];
	struct weakcall_code code;
	uint8_t *bytes, *exceptions;
	char *names_text;
	const char *names[NAMES_MAX];
	bool is_none[NAMES_MAX];
	struct weakcall_source sources[SOURCES_MAX];
	char source_names[SOURCES_MAX][64];
	unsigned source_count;
};

static void fail(const char *what, const char *detail)
{
	fprintf(stderr, "%x.%x: %s: %s\n", version >> 8, version & 0xff, what, detail);
	failures++;
}

/* An allocation of exactly that size, so that the sanitizer sees one byte too far. */
static uint8_t *from_hex(const char *text, size_t *size)
{
	*size = *text == '-' ? 0 : strlen(text) / 2;
	uint8_t *bytes = malloc(*size ? *size : 1);
	for (size_t i = 0; i < *size; i++) {
		unsigned byte;
		sscanf(text + 2 * i, "%2x", &byte);
		bytes[i] = (uint8_t)byte;
	}
	return bytes;
}

static bool const_is_none(void *context, unsigned index)
{
	const struct code_case *one = context;
	return index < NAMES_MAX && one->is_none[index];
}

static const char *verdict_text(enum weakcall_verdict verdict)
{
	static const char *const text[] = {
		[WEAKCALL_UNDECIDED] = "-", [WEAKCALL_GUARDED] = "guarded", [WEAKCALL_RAISES] = "raises"};
	return text[verdict];
}

static void check_case(const struct code_case *one)
{
	cases++;
	const char *got = verdict_text(weakcall_decide(&one->code, one->sources, one->source_count));
	if (strcmp(got, one->verdict) != 0) {
		char detail[128];
		snprintf(detail, sizeof(detail), "expected %s, decided %s", one->verdict, got);
		fail(one->name, detail);
	}
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 8;
}

static void check_mutants(struct code_case *one)
{
	static unsigned seed = 1;
	uint8_t *bytes = malloc(one->code.size + 1), *exceptions = malloc(one->code.exceptions_size + 1);
	struct weakcall_code mutant = one->code;
	mutant.code = bytes;
	mutant.exceptions = exceptions;
	for (unsigned round = 0; round < MUTANTS; round++) {
		memcpy(bytes, one->bytes, one->code.size);
		memcpy(exceptions, one->exceptions, one->code.exceptions_size);
		for (unsigned i = 0, changes = 1 + round % 16; i < changes && mutant.size; i++)
			bytes[next_random(&seed) % mutant.size] = (uint8_t)next_random(&seed);
		if (round % 3 == 0 && mutant.exceptions_size)
			exceptions[next_random(&seed) % mutant.exceptions_size] = (uint8_t)next_random(&seed);
		mutant.size = round % 7 ? one->code.size : next_random(&seed) % (one->code.size + 1);
		mutant.local_and_cell_count = round % 5 ? one->code.local_and_cell_count : (int)(next_random(&seed) % 300) - 50;
		clock_t start = clock();
		weakcall_decide(&mutant, one->sources, one->source_count);
		if (clock() - start > SLOW_SECONDS * CLOCKS_PER_SEC)
			fail(one->name, "a mutant takes too long");
	}
	free(bytes);
	free(exceptions);
}

/* Words at random, no code at all. */
static void check_noise(void)
{
	static struct code_case noise;
	static uint8_t bytes[4096];
	unsigned seed = 7;
	noise.code = (struct weakcall_code){.version = version, .code = bytes, .exceptions = bytes, .names = noise.names,
					    .const_is_none = const_is_none, .context = &noise};
	struct weakcall_source source = {.kind = WEAK_FAST};
	for (unsigned round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)next_random(&seed);
		noise.code.size = next_random(&seed) % sizeof(bytes);
		noise.code.exceptions_size = next_random(&seed) % 64;
		source.index = (int)next_random(&seed) % 400 - 100;
		weakcall_decide(&noise.code, &source, 1);
	}
}

static void check_opcode(unsigned number, const char *name, bool seen[])
{
	const struct opcode_version *row = opcodes_version(version);
	size_t count;
	const struct opcode *all = opcodes_all(&count);
	for (size_t i = 0; row && i < count; i++)
		if (strcmp(all[i].name, name) == 0) {
			seen[i] = true;
			if (all[i].numbers[row->column] != number)
				fail(name, "another number in the table");
		}
}

/* Every number that the table gives for this version must have been named. */
static void check_opcodes_seen(const bool seen[])
{
	const struct opcode_version *row = opcodes_version(version);
	size_t count;
	const struct opcode *all = opcodes_all(&count);
	if (!row)
		fail("table of opcodes", "does not know this version");
	for (size_t i = 0; row && i < count; i++)
		if (!seen[i] && all[i].numbers[row->column])
			fail(all[i].name, "not an opcode of this version");
}

static void read_source(struct code_case *one, const char *text)
{
	struct weakcall_source *source = &one->sources[one->source_count];
	char *name = one->source_names[one->source_count++], kind[16];
	sscanf(text, "%15s %63s", kind, name);
	source->kind = strcmp(kind, "deref") == 0 ? WEAK_DEREF : strcmp(kind, "fast") == 0 ? WEAK_FAST : WEAK_GLOBAL;
	source->index = atoi(name);
	source->name = name;
}

static void read_names(struct code_case *one, const char *text)
{
	one->names_text = strdup(text);
	for (char *word = strtok(one->names_text, " "); word && one->code.name_count < NAMES_MAX; word = strtok(NULL, " "))
		one->names[one->code.name_count++] = word;
}

static void read_nones(struct code_case *one, char *text)
{
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		one->is_none[strtoul(word, NULL, 10) % NAMES_MAX] = true;
}

static void end_case(struct code_case *one)
{
	one->code.version = version;
	one->code.code = one->bytes;
	one->code.exceptions = one->exceptions;
	one->code.names = one->names;
	one->code.const_is_none = const_is_none;
	one->code.context = one;
	check_case(one);
	check_mutants(one);
	free(one->bytes);
	free(one->exceptions);
	free(one->names_text);
	memset(one, 0, sizeof(*one));
}

static void read_line(struct code_case *one, const char *key, char *rest, bool seen[])
{
	int at = 0, value = 0;
	if (strcmp(key, "version") == 0)
		version = (unsigned)atoi(rest);
	else if (strcmp(key, "opcode") == 0 && sscanf(rest, "%d %n", &value, &at) == 1)
		check_opcode((unsigned)value, rest + at, seen);
	else if (strcmp(key, "attribute") == 0) {
		int lacks = weakcall_none_lacks(rest + 2);
		if (lacks >= 0 && lacks != (*rest == '0'))
			fail(rest + 2, "None's attributes are others");
	} else if (strcmp(key, "case") == 0)
		snprintf(one->name, sizeof(one->name), "%s", rest);
	else if (strcmp(key, "verdict") == 0)
		snprintf(one->verdict, sizeof(one->verdict), "%s", rest);
	else if (strcmp(key, "flags") == 0)
		one->code.flags = (unsigned)atoi(rest);
	else if (strcmp(key, "code") == 0)
		one->bytes = from_hex(rest, &one->code.size);
	else if (strcmp(key, "exceptions") == 0)
		one->exceptions = from_hex(rest, &one->code.exceptions_size);
	else if (strcmp(key, "counts") == 0)
		sscanf(rest, "%d %d %d %d", &one->code.local_count, &one->code.cell_count, &one->code.free_count,
		       &one->code.local_and_cell_count);
	else if (strcmp(key, "names") == 0)
		read_names(one, rest);
	else if (strcmp(key, "nones") == 0)
		read_nones(one, rest);
	else if (strcmp(key, "source") == 0 && one->source_count < SOURCES_MAX)
		read_source(one, rest);
	else if (strcmp(key, "end") == 0)
		end_case(one);
}

int main(int argc, char **argv)
{
	FILE *corpus = argc == 2 ? fopen(argv[1], "r") : NULL;
	static struct code_case one;
	static bool seen[1024];
	char *line = NULL;
	size_t size = 0;
	if (!corpus)
		return fprintf(stderr, "usage: test_weakcall CORPUS\n"), 2;
	while (getline(&line, &size, corpus) > 0) {
		line[strcspn(line, "\n")] = 0;
		char *rest = strchr(line, ' ');
		if (rest)
			*rest++ = 0;
		read_line(&one, line, rest ? rest : line + strlen(line), seen);
	}
	check_opcodes_seen(seen);
	check_noise();
	free(line);
	fclose(corpus);
	if (cases == 0)
		fail(argv[1], "no cases");
	printf("%u.%u: %u cases, %u failures\n", version >> 8, version & 0xff, cases, failures);
	return failures != 0;
}
