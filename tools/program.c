/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "program_python.h"

/* The kernel follows four nested scripts; with an env behind each that makes eight. */
#define HOPS 8
#define WORDS 32

/* search - @name as execvp finds it, into @path. Return: 0 or a negative errno. */
static int search(const char *name, char path[PATH_MAX])
{
	const char *list = getenv("PATH");
	int error = -ENOENT;

	if (strchr(name, '/')) {
		if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX)
			return -ENAMETOOLONG;
		return access(path, X_OK) < 0 ? -errno : 0;
	}
	list = *name ? list ? list : "/bin:/usr/bin" : NULL;
	for (const char *next; list; list = next) {
		int length = (int)strcspn(list, ":");
		struct stat info;

		next = list[length] ? list + length + 1 : NULL;
		if (snprintf(path, PATH_MAX, "%.*s%s%s", length, list, length ? "/" : "", name) >= PATH_MAX)
			continue;
		if (stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0)
			return 0;
		if (errno == EACCES)
			error = -EACCES;
	}
	return error;
}

/* first_line - the words of a script's #! line into @line and @words. Return: their number; 0: no script. */
static size_t first_line(const char *path, char line[512], char *words[WORDS])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t size = fd < 0 ? -1 : read(fd, line, 511);
	size_t count = 0;
	char *rest;

	if (fd >= 0)
		close(fd);
	if (size < 3 || line[0] != '#' || line[1] != '!')
		return 0;
	line[size] = '\0';
	line[strcspn(line, "\n")] = '\0';
	words[0] = strtok_r(line + 2, " \t\r", &rest);
	while (count < WORDS - 1 && words[count])
		words[++count] = strtok_r(NULL, " \t\r", &rest);
	return count;
}

static bool is_env(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, "env") == 0;
}

/* behind_env - the command among @words, which follow "env", or NULL. */
static char *behind_env(struct program *program, char *const *words, size_t count)
{
	for (size_t i = 0; i < count && words[i]; i++) {
		const char *word = words[i];

		if (strcmp(word, "-i") == 0 || strcmp(word, "-") == 0 || strcmp(word, "--ignore-environment") == 0)
			program->clears_environment = true;
		else if (strcmp(word, "-u") == 0 || strcmp(word, "-C") == 0)
			i++;
		else if (strncmp(word, "-S", 2) == 0 && word[2])
			return words[i] + 2;
		else if (word[0] != '-' && !strchr(word, '='))
			return words[i];
	}
	return NULL;
}

/* follow - from the found program on to what it is there to execute. */
static void follow(struct program *program, char *const *argv)
{
	char line[512], *words[WORDS], *next;
	size_t count = 0;

	while (argv[count])
		count++;
	for (int hop = 0; hop < HOPS && program->error == 0; hop++) {
		if (is_env(program->path) && (next = behind_env(program, argv + 1, count - 1))) {
			program->error = search(next, program->path);
			/* The next env would need the rest of this one's words; one is what people write. */
			count = 1;
			continue;
		}
		count = first_line(program->path, line, words);
		if (count == 0)
			return;
		if (!program->via[0])
			memcpy(program->via, program->path, sizeof(program->via));
		program->error = search(words[0], program->path);
		argv = words;
	}
}

/* privileged - would the loader ignore LD_PRELOAD (AT_SECURE)? */
static bool privileged(const char *path)
{
	struct statvfs volume;
	struct stat info;

	if (stat(path, &info) < 0 || (statvfs(path, &volume) == 0 && volume.f_flag & ST_NOSUID))
		return false;
	if (info.st_mode & S_ISUID && info.st_uid != getuid())
		return true;
	if (info.st_mode & S_ISGID && info.st_mode & S_IXGRP && info.st_gid != getgid())
		return true;
	return getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

static const char *own_allocator(const struct elf_file *elf)
{
	static const struct {
		const char *symbol, *name;
	} known[] = {
		{"tc_malloc", "tcmalloc"}, {"MallocExtension_ReleaseFreeMemory", "tcmalloc"},
		{"mallctl", "jemalloc"}, {"je_mallctl", "jemalloc"}, {"mi_malloc", "mimalloc"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (elf_symbol(elf, known[i].symbol))
			return known[i].name;
	return elf_symbol(elf, "malloc") ? "one of its own" : NULL;
}

/* hidden_allocator - by a text that each has in its messages: stripping leaves that in place. CPython has a
 * mimalloc too and uses it only where it is free-threaded. */
static const char *hidden_allocator(const struct elf_file *elf)
{
	static const struct {
		const char *text, *name;
	} known[] = {
		{"<jemalloc>: ", "jemalloc"}, {"tcmalloc: large alloc", "tcmalloc"}, {"TCMALLOC_SAMPLE_PARAMETER", "tcmalloc"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (memmem(elf->bytes, elf->size, known[i].text, strlen(known[i].text)))
			return known[i].name;
	return NULL;
}

static void inspect_allocators(struct program *program, const struct elf_file *elf)
{
	static const char *const libraries[] = {"libjemalloc", "libtcmalloc", "libmimalloc"};
	const char *name;

	program->gcc_asan = elf_needs(elf, "libasan.so") != NULL;
	program->clang_asan = !program->gcc_asan && elf_symbol(elf, "__asan_init") != NULL;
	program->cplusplus = elf_needs(elf, "libstdc++.so") || elf_needs(elf, "libc++.so");
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		if ((name = elf_needs(elf, libraries[i])))
			snprintf(program->needed_allocator, sizeof(program->needed_allocator), "%s", name);
	if (program->clang_asan)
		return;
	program->allocator = own_allocator(elf);
	program->hidden_allocator = program->allocator ? NULL : hidden_allocator(elf);
}

static void inspect(struct program *program)
{
#ifdef __x86_64__
	const Elf64_Half machine = EM_X86_64;
#elif defined(__aarch64__)
	const Elf64_Half machine = EM_AARCH64;
#else
	const Elf64_Half machine = EM_NONE;
#endif
	const char *interpreter, *name;
	struct elf_file elf;

	program->is_setuid = privileged(program->path);
	program->unreadable = elf_open(&elf, program->path) < 0;
	program->elf = elf.header && (machine == EM_NONE || elf.header->e_machine == machine);
	if (program->elf) {
		interpreter = elf_interpreter(&elf);
		name = elf_tag(&elf, DT_SONAME, 0);
		snprintf(program->interpreter, sizeof(program->interpreter), "%s", interpreter ? interpreter : "");
		program->loader = !interpreter && name && strncmp(name, "ld-linux", 8) == 0;
		program->is_static = !interpreter && !program->loader;
		inspect_allocators(program, &elf);
		program->build_id = elf_build_id(&elf);
		program_python(program, &elf);
	}
	elf_close(&elf);
}

void program_find(struct program *program, char *const *argv)
{
	*program = (struct program){.python_minor = -1};
	program->error = search(argv[0], program->path);
	if (program->error == 0)
		follow(program, argv);
	if (program->error == 0)
		inspect(program);
}

const char *program_obstacle(const struct program *program)
{
	if (program->error || program->unreadable)
		return NULL;
	if (program->is_setuid)
		return "gets other rights when executed (setuid, setgid or capabilities): the loader ignores a "
		       "preload, no report of it is possible";
	if (!program->elf)
		return NULL;
	if (program->is_static)
		return "is statically linked: it loads no library, no report of it is possible";
	if (program->gcc_asan)
		return "is built with gcc's AddressSanitizer, which must be loaded first: it runs without the "
		       "library, no report of it is possible";
	return NULL;
}
