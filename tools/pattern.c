/* SPDX-License-Identifier: Apache-2.0 */
#include "pattern.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "pool.h"

/* escaped - @text with each % doubled. */
static char *escaped(const char *text)
{
	char *copy = take(2 * strlen(text) + 1, 1), *to = copy;

	for (; *text; text++) {
		if (*text == '%')
			*to++ = '%';
		*to++ = *text;
	}
	return copy;
}

/* fixed_part - @length bytes of a pattern as a name, or NULL if they contain more than %%. */
static char *fixed_part(const char *text, size_t length)
{
	char *copy = take(length + 1, 1), *to = copy;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '%' && text[++i] != '%') {
			free(copy);
			return NULL;
		}
		*to++ = text[i];
	}
	return copy;
}

const char *pattern_init(struct pattern *pattern, const char *given)
{
	char here[PATH_MAX], *prefix;
	const char *slash;

	*pattern = (struct pattern){.shown = given};
	for (const char *at = given; (at = strchr(at, '%')); at += 2)
		if (!at[1] || !strchr("pen%", at[1]))
			return "has a % that is none of %p, %e, %n, %%";
	slash = strrchr(given, '/');
	if (!*given || (slash && !slash[1]))
		return "names no file";
	if (given[0] == '/') {
		pattern->text = strcpy(take(strlen(given) + 1, 1), given);
	} else {
		if (!getcwd(here, sizeof(here)))
			return "is relative to a directory that is no longer there";
		prefix = escaped(here);
		pattern->text = take(strlen(prefix) + strlen(given) + 2, 1);
		stpcpy(stpcpy(stpcpy(pattern->text, prefix), strcmp(prefix, "/") == 0 ? "" : "/"), given);
		free(prefix);
	}
	slash = strrchr(pattern->text, '/');
	pattern->name = slash + 1;
	pattern->directory = fixed_part(pattern->text, slash == pattern->text ? 1 : (size_t)(slash - pattern->text));
	return NULL;
}

static void free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

void pattern_finish(struct pattern *pattern)
{
	free_names(pattern->before, pattern->before_count);
	free(pattern->text);
	free(pattern->directory);
	*pattern = (struct pattern){0};
}

int pattern_writable(const struct pattern *pattern)
{
	char *probe;
	int fd;

	if (!pattern->directory)
		return 0;
	/* Some file systems refuse O_TMPFILE: then a real file, gone at once. */
	fd = open(pattern->directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		probe = take(strlen(pattern->directory) + sizeof("/.forkheld.XXXXXX"), 1);
		stpcpy(stpcpy(probe, pattern->directory), "/.forkheld.XXXXXX");
		fd = mkostemp(probe, O_CLOEXEC);
		if (fd >= 0)
			unlink(probe);
		free(probe);
	}
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

bool pattern_is_tight(const struct pattern *pattern)
{
	struct statvfs system;

	if (!pattern->directory || statvfs(pattern->directory, &system) < 0 || system.f_blocks == 0)
		return false;
	return (geteuid() == 0 ? system.f_bfree : system.f_bavail) < PATTERN_ROOM_KIB * 1024 / system.f_frsize;
}

static bool digits_to_end(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* matches - as a glob does: a conversion takes as little as lets the rest match. */
bool pattern_matches(const char *name, const char *file)
{
	if (*name == '\0')
		return *file == '\0' || (*file == '.' && digits_to_end(file + 1));
	if (*name != '%')
		return *name == *file && pattern_matches(name + 1, file + 1);
	if (name[1] == '%')
		return *file == '%' && pattern_matches(name + 2, file + 1);
	for (size_t i = 1; file[i - 1]; i++) {
		if (name[1] != 'e' && (file[i - 1] < '0' || file[i - 1] > '9'))
			return false;
		if (pattern_matches(name + 2, file + i))
			return true;
	}
	return false;
}

static size_t list(const struct pattern *pattern, char ***names)
{
	DIR *directory = pattern->directory ? opendir(pattern->directory) : NULL;
	size_t count = 0, room = 0;
	struct dirent *entry;

	*names = NULL;
	while (directory && (entry = readdir(directory))) {
		if (!pattern_matches(pattern->name, entry->d_name))
			continue;
		if (count == room) {
			room = room ? room * 2 : 16;
			*names = take_again(*names, room, sizeof(**names));
		}
		(*names)[count] = take(strlen(entry->d_name) + 1, 1);
		strcpy((*names)[count++], entry->d_name);
	}
	if (directory)
		closedir(directory);
	return count;
}

static int compare_names(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

void pattern_before(struct pattern *pattern)
{
	pattern->before_count = list(pattern, &pattern->before);
	if (pattern->before_count > 0)
		qsort(pattern->before, pattern->before_count, sizeof(*pattern->before), compare_names);
}

/* shown_path - the directory as the user wrote it, if he wrote one. */
static char *shown_path(const struct pattern *pattern, const char *name)
{
	const char *slash = strrchr(pattern->shown, '/');
	char *directory = slash ? fixed_part(pattern->shown, (size_t)(slash + 1 - pattern->shown)) : NULL;
	char *path = take((directory ? strlen(directory) : 0) + strlen(name) + 1, 1);

	stpcpy(stpcpy(path, directory ? directory : ""), name);
	free(directory);
	return path;
}

size_t pattern_after(const struct pattern *pattern, char ***files)
{
	size_t count = list(pattern, files), kept = 0;

	for (size_t i = 0; i < count; i++) {
		char *name = (*files)[i];

		if (!pattern->before ||
		    !bsearch(&name, pattern->before, pattern->before_count, sizeof(name), compare_names))
			(*files)[kept++] = shown_path(pattern, name);
		free(name);
	}
	if (kept > 0)
		qsort(*files, kept, sizeof(**files), compare_names);
	return kept;
}
