/* SPDX-License-Identifier: Apache-2.0 */
#include "suppressions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clean.h"
#include "input.h"

#define BLANKS " \t\r"

static bool complain(const char *file, size_t line, const char *reason)
{
	char name[1024];

	clean_line(name, sizeof(name), file);
	if (line > 0)
		fprintf(stderr, "forkheld: %s:%zu: %s\n", name, line, reason);
	else
		fprintf(stderr, "forkheld: %s: %s\n", name, reason);
	return false;
}

static struct suppression *append(struct suppressions *suppressions)
{
	if (suppressions->count == suppressions->room) {
		suppressions->room = suppressions->room ? suppressions->room * 2 : 16;
		suppressions->items = take_again(suppressions->items, suppressions->room, sizeof(*suppressions->items));
	}
	suppressions->items[suppressions->count] = (struct suppression){0};
	return &suppressions->items[suppressions->count++];
}

static char *trim(char *text)
{
	size_t length;

	text += strspn(text, BLANKS);
	length = strlen(text);
	while (length > 0 && strchr(BLANKS, text[length - 1]))
		text[--length] = '\0';
	return text;
}

static bool read_line(struct suppressions *suppressions, const char *file, size_t line, const char *text)
{
	struct suppression *item = append(suppressions);
	char *words, *reason, *rest;

	*item = (struct suppression){.file = file, .line = line, .text = text};
	words = trim(pool_text(&suppressions->pool, text, strlen(text)));
	if (*words == '\0' || *words == '#')
		return true;
	reason = strchr(words, '#');
	if (reason)
		*reason++ = '\0';
	item->fingerprint = strtok_r(words, BLANKS, &rest);
	item->rule = strtok_r(NULL, BLANKS, &rest);
	if (strtok_r(NULL, BLANKS, &rest))
		return complain(file, line, "expected FINGERPRINT [RULE]  # reason");
	if (!reason || *trim(reason) == '\0')
		return complain(file, line, "has no reason: expected FINGERPRINT [RULE]  # reason");
	if (item->rule && strncmp(item->rule, "FH", 2) != 0)
		return complain(file, line, "the second word is not a rule (FH001, ...)");
	item->reason = clean_text(&suppressions->pool, trim(reason));
	item->unreviewed = strncmp(item->reason, UNREVIEWED, strlen(UNREVIEWED)) == 0;
	return true;
}

bool suppressions_read(struct suppressions *suppressions, const char *file)
{
	char *bytes, *copy;
	size_t size, line = 0;
	const char *reason = input_read(file, &bytes, &size), *name;

	if (reason)
		return complain(file, 0, reason);
	if (memchr(bytes, '\0', size)) {
		free(bytes);
		return complain(file, 0, "is not a text file");
	}
	copy = pool_text(&suppressions->pool, bytes, size);
	name = pool_text(&suppressions->pool, file, strlen(file));
	free(bytes);
	while (*copy) {
		char *end = strchrnul(copy, '\n');
		bool last = *end == '\0';

		*end = '\0';
		if (!read_line(suppressions, name, ++line, copy))
			return false;
		copy = last ? end : end + 1;
	}
	return true;
}

const struct suppression *suppressions_match(struct suppressions *suppressions, const struct finding *finding)
{
	const struct suppression *found = NULL;

	for (size_t i = 0; i < suppressions->count; i++) {
		struct suppression *item = &suppressions->items[i];

		if (!item->fingerprint || strcmp(item->fingerprint, finding->fingerprint) != 0 ||
		    (item->rule && strcmp(item->rule, finding->rule) != 0))
			continue;
		item->used = true;
		found = found ? found : item;
	}
	return found;
}

static bool one_of_those_read(const struct suppressions *suppressions, const struct stat *info)
{
	struct stat other;

	for (size_t i = 0; i < suppressions->count; i++)
		if ((i == 0 || suppressions->items[i].file != suppressions->items[i - 1].file) &&
		    stat(suppressions->items[i].file, &other) == 0 && other.st_dev == info->st_dev &&
		    other.st_ino == info->st_ino)
			return true;
	return false;
}

static void put_lines(FILE *out, const struct suppressions *suppressions, const struct merged *const *findings,
	size_t count)
{
	if (suppressions->count == 0)
		fputs("# FINGERPRINT RULE  # why this finding is accepted (write your reason in place of \"" UNREVIEWED
		      " ...\")\n", out);
	for (size_t i = 0; i < suppressions->count; i++)
		if (!suppressions->items[i].fingerprint || suppressions->items[i].used)
			fprintf(out, "%s\n", suppressions->items[i].text);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s %s  # " UNREVIEWED " %s\n", findings[i]->finding->fingerprint,
			findings[i]->finding->rule, findings[i]->finding->message);
}

/* write_beside - a temporary file beside @target, then renamed: readers see the old lines or the new ones. errno. */
static bool write_beside(const char *target, mode_t mode, const struct suppressions *suppressions,
	const struct merged *const *findings, size_t count)
{
	char *temporary = take(strlen(target) + sizeof(".XXXXXX"), 1);
	int fd, error = 0;
	FILE *out;

	stpcpy(stpcpy(temporary, target), ".XXXXXX");
	fd = mkostemp(temporary, O_CLOEXEC);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out) {
		error = errno;
		free(temporary);
		errno = error;
		return false;
	}
	put_lines(out, suppressions, findings, count);
	if (ferror(out) || fchmod(fd, mode) < 0)
		error = errno;
	if (fclose(out) != 0 && !error)
		error = errno;
	if (!error && rename(temporary, target) < 0)
		error = errno;
	if (error)
		unlink(temporary);
	free(temporary);
	errno = error;
	return !error;
}

bool suppressions_write(const struct suppressions *suppressions, const char *file, const struct merged *const *findings,
	size_t count)
{
	mode_t mask = umask(0), mode = 0666 & ~mask;
	struct stat info;
	char *target;
	bool good;

	umask(mask);
	if (stat(file, &info) == 0) {
		if (!S_ISREG(info.st_mode))
			return complain(file, 0, "is not a regular file");
		if (!one_of_those_read(suppressions, &info))
			return complain(file, 0,
				"exists: give it with --suppressions too, so that its reasons are kept");
		mode = info.st_mode & 0777;
	}
	/* Through a symbolic link, the file behind it is the one to replace. */
	target = realpath(file, NULL);
	good = write_beside(target ? target : file, mode, suppressions, findings, count);
	if (!good)
		complain(file, 0, strerror(errno));
	free(target);
	return good;
}

void suppressions_finish(struct suppressions *suppressions)
{
	free(suppressions->items);
	pool_finish(&suppressions->pool);
	*suppressions = (struct suppressions){0};
}
