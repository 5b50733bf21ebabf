/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clean.h"
#include "elf_file.h"
#include "launch.h"
#include "pattern.h"
#include "program.h"
#include "text.h"
#include "verbs.h"

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#define LIBC "glibc"
#define libc_version(program) gnu_get_libc_version()
#else /* musl has no call that tells the version */
#define LIBC "musl"
#define libc_version(program) (program)->interpreter
#endif

static const char usage[] =
	"usage: forkheld doctor [--] CMD [ARGUMENT...]\n\n"
	"Say beforehand what can be seen of CMD, by looking at files: nothing of it is run. Scripts (#!) and\n"
	"env are followed.\n\n"
	"      --help  this text\n\n"
	"Exit status: 0 all can be seen; 1 there are limits, or CMD cannot be executed; 2 wrong command line.\n";

static const struct option options[] = {HELP_OPTION, {0}};

/* The CPythons that the library knows. */
#define PYTHON_FIRST 9
#define PYTHON_LAST 15

static bool row(bool good, const char *label, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* row - one line of the answer. Return: @good. */
static bool row(bool good, const char *label, const char *format, ...)
{
	char text[4096], line[4096];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	printf("%s%-6s%s %-10s %s\n", good ? "" : style.warning, good ? "ok" : "limit", good ? "" : style.off, label,
		clean_line(line, sizeof(line), text));
	return good;
}

static bool report_program(const struct program *program, char *const *argv)
{
	const char *obstacle = program_obstacle(program);

	if (program->error)
		return row(false, "program", "%s: %s", argv[0], strerror(-program->error));
	if (program->unreadable)
		return row(false, "program", "%s: may be executed but not read: nothing can be said", program->path);
	if (program->via[0])
		row(true, "program", "%s, by way of %s", program->path, program->via);
	else
		row(true, "program", "%s", program->path);
	if (!program->elf)
		return row(false, "preload", "it is no program of this machine's kind: the library cannot be loaded");
	if (obstacle)
		return row(false, "preload", "it %s", obstacle);
	if (program->clears_environment)
		return row(false, "preload", "env -i takes the preload away");
	return row(true, "preload", "dynamically linked, no other rights");
}

/* same_loader - has it the loader that runs this very program, and so the same libc? */
static bool same_loader(const struct program *program)
{
	char *theirs = realpath(program->interpreter, NULL), *ours = NULL;
	const char *interpreter;
	struct elf_file elf;
	bool same;

	if (elf_open(&elf, "/proc/self/exe") == 0 && elf.header && (interpreter = elf_interpreter(&elf)))
		ours = realpath(interpreter, NULL);
	same = ours && theirs && strcmp(ours, theirs) == 0;
	elf_close(&elf);
	free(ours);
	free(theirs);
	return same;
}

static bool is_musl(const struct program *program)
{
	return strstr(program->interpreter, "ld-musl");
}

static bool report_libc(const struct program *program)
{
	if (program->loader)
		return row(true, "libc", "a loader: that of the program it is given");
	if (same_loader(program))
		return row(true, "libc", LIBC " %s", libc_version(program));
	if (is_musl(program) != (strcmp(LIBC, "musl") == 0))
		return row(false, "libc", "%s (%s): this library is built for " LIBC, is_musl(program) ? "musl" : "glibc",
			program->interpreter);
	if (access(program->interpreter, X_OK) < 0)
		return row(false, "libc", "its loader %s is not there", program->interpreter);
	return row(false, "libc", "its loader %s is not this system's", program->interpreter);
}

static bool report_allocator(const struct program *program)
{
	if (program->clang_asan)
		return row(false, "allocator", "clang's AddressSanitizer: its blocks cannot be seen");
	if (program->allocator)
		return row(false, "allocator", "%s, linked into the program: its blocks cannot be seen",
			program->allocator);
	if (program->hidden_allocator)
		return row(false, "allocator", "%s, in the program beside the C library's: its blocks cannot be seen",
			program->hidden_allocator);
	if (program->needed_allocator[0] && program->cplusplus)
		return row(false, "allocator", "%s: blocks of malloc are seen, those of C++'s new may go past it",
			program->needed_allocator);
	return row(true, "allocator", "%s", program->needed_allocator[0] ? program->needed_allocator
		: "the C library's");
}

/* The names and lines of native code are looked up in its file afterwards; only a build-id tells that it is still
 * the same. */
static bool report_source(const struct program *program)
{
#ifndef HAVE_LIBDW
	return row(false, "source", "forkheld was built without libdw: native code by module and offset");
#endif
	if (!program->build_id)
		return row(false, "source", "no build-id: native code of the program itself by module and offset");
	return row(true, "source", "by build-id, where there is debug information");
}

static bool report_python(const struct program *program)
{
	const char *build = program->python == PYTHON_STATIC ? "in the program" : "shared library";

	if (program->python == PYTHON_NONE)
		return row(true, "python", "none linked; one that is loaded later is seen");
	if (program->python_minor < 0)
		return row(false, "python", "CPython of unknown version (%s)", build);
	if (program->python_minor < PYTHON_FIRST || program->python_minor > PYTHON_LAST)
		return row(false, "python", "CPython %s (%s): only 3.%d to 3.%d can be looked into, beside C "
			"registrations", program->python_version, build, PYTHON_FIRST, PYTHON_LAST);
	if (program->free_threaded)
		return row(false, "python", "CPython %s free-threaded (%s): experimental", program->python_version,
			build);
	return row(true, "python", "CPython %s (%s)", program->python_version, build);
}

/* The library opens it by this name, at run time, and does without where it is absent. */
static bool report_unwinder(void)
{
#ifdef __aarch64__
	static const char name[] = "libunwind-aarch64.so.8";
#else
	static const char name[] = "libunwind-x86_64.so.8";
#endif
	void *handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL);

	if (!handle)
		return row(false, "unwinder", "%s is not installed: stacks in C end early or are not there", name);
	dlclose(handle);
	return row(true, "unwinder", "%s", name);
}

/* Would a child be let do what the library's does for a snapshot, with this very process? By ending it lets go. */
static bool report_threads(void)
{
	int ready[2], status = 0;
	pid_t child;
	char byte;

	if (pipe(ready) < 0 || (child = fork()) < 0)
		return row(false, "threads", "not tried: %s", strerror(errno));
	if (child == 0) {
		close(ready[1]);
		while (read(ready[0], &byte, 1) < 0 && errno == EINTR)
			;
		_exit(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) < 0 ? errno : 0);
	}
	close(ready[0]);
	prctl(PR_SET_PTRACER, child); /* Yama's; others do not know it */
	close(ready[1]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return row(true, "threads", "held still for a snapshot, as ptrace is allowed");
	return row(false, "threads", "not held still, their registers are missing: ptrace is refused: %s",
		WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "a filter of system calls kills for it");
}

static bool report_library(void)
{
	const char *reason;
	char *library = library_find(&reason);
	bool good = library != NULL;

	row(good, "library", "%s", good ? library : reason);
	free(library);
	return good;
}

static bool report_output(void)
{
	const char *given = getenv("FORKHELD_OUTPUT"), *wrong;
	struct pattern pattern;
	bool good = false;
	int error;

	given = given && *given ? given : "forkheld.%p.json";
	wrong = pattern_init(&pattern, given);
	if (wrong)
		row(false, "output", "the pattern '%s' %s", given, wrong);
	else if ((error = pattern_writable(&pattern)) < 0)
		row(false, "output", "no report can be written to %s: %s", pattern.directory, strerror(-error));
	else if (pattern_is_tight(&pattern))
		row(false, "output", "less than %u KiB are free in %s", PATTERN_ROOM_KIB, pattern.directory);
	else
		good = row(true, "output", "%s", pattern.text);
	pattern_finish(&pattern);
	return good;
}

int doctor_main(int argc, char **argv)
{
	struct program program;
	bool good;

	while (verb_options(argc, argv, "+:h", options, usage) != -1)
		;
	if (optind == argc)
		return verb_usage(argv, "no command");
	program_find(&program, argv + optind);
	good = report_program(&program, argv + optind);
	if (!program.error && !program.unreadable && program.elf && !program.is_static) {
		good = report_libc(&program) && good;
		good = report_allocator(&program) && good;
		good = report_python(&program) && good;
		good = report_source(&program) && good;
		good = report_unwinder() && good;
		good = report_threads() && good;
	}
	good = report_library() && good;
	good = report_output() && good;
	return good ? STATUS_GOOD : STATUS_FOUND;
}
