/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <forkheld/report.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clean.h"
#include "launch.h"
#include "options.h"
#include "outcome.h"
#include "pattern.h"
#include "pool.h"
#include "program.h"
#include "verbs.h"

static const char usage[] =
	"usage: forkheld run [-o PATTERN] [--options KEY=VALUE:...] [--] CMD [ARGUMENT...]\n\n"
	"Run CMD with the library preloaded, then say in one line on standard error what was found.\n\n"
	"  -o, --output PATTERN  where reports go: %p pid, %e executable, %n snapshot number, %% a percent\n"
	"                        sign (default $FORKHELD_OUTPUT, else forkheld.%p.json)\n"
	"      --options LIST    report=auto|always|findings, floor, limit, repeat, timeout, memory, argv,\n"
	"                        addresses, leaks, stop: see forkheld-options(7); added to $FORKHELD_OPTIONS\n"
	"      --help            this text\n\n"
	"Exit status: CMD's own, 128+N if signal N killed it; 2 wrong command line; 125 if forkheld itself\n"
	"fails; 126 if CMD cannot be executed; 127 if it is not found.\n";

static const struct option options[] = {
	{"output", required_argument, NULL, 'o'},
	{"options", required_argument, NULL, 'O'},
	HELP_OPTION,
	{0},
};

__attribute__((format(printf, 2, 3))) static int fail(int status, const char *format, ...)
{
	char reason[2048], line[2048];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	fprintf(stderr, "forkheld run: %s\n", clean_line(line, sizeof(line), reason));
	return status;
}

/* joined - our options behind those of the environment: the last one counts. Owner: caller. */
static char *joined(const char *ours)
{
	const char *theirs = getenv(FORKHELD_ENV_OPTIONS);
	char *text;

	if (!ours)
		return NULL;
	text = take((theirs ? strlen(theirs) : 0) + strlen(ours) + 2, 1);
	stpcpy(stpcpy(stpcpy(text, theirs ? theirs : ""), theirs && *theirs ? ":" : ""), ours);
	return text;
}

static void warn(const struct program *program, char *const *argv)
{
	const char *obstacle = program_obstacle(program);

	if (!obstacle)
		return;
	if (strcmp(program->path, argv[0]) == 0)
		fail(0, "%s %s", argv[0], obstacle);
	else
		fail(0, "%s (%s) %s", argv[0], program->path, obstacle);
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run(char *const *argv, struct pattern *pattern, const char *given_options)
{
	const char *reason = "";
	struct program program;
	char *library = library_find(&reason), *list;
	int status = 0, error;
	pid_t pid;

	if (!library)
		return fail(STATUS_OURS, "%s", reason);
	program_find(&program, argv);
	warn(&program, argv);
	pattern_before(pattern);
	list = joined(given_options);
	if (launch(argv, program.gcc_asan ? NULL : library, pattern->text, list, &pid, &status, &error)) {
		outcome_print(stderr, pattern, &program, list ? list : getenv(FORKHELD_ENV_OPTIONS), pid, status);
		status = exit_status(status);
	} else if (pid < 0) {
		status = fail(STATUS_OURS, "no process can be made: %s", strerror(error));
	} else {
		status = fail(error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE, "%s: %s", argv[0],
			strerror(error));
	}
	free(list);
	free(library);
	return status;
}

int run_main(int argc, char **argv)
{
	const char *given = getenv(FORKHELD_ENV_OUTPUT), *list = NULL, *wrong;
	struct pattern pattern;
	char reason[160];
	int option, error, status;

	if (!given || !*given)
		given = FORKHELD_DEFAULT_OUTPUT;
	while ((option = verb_options(argc, argv, "+:o:h", options, usage)) != -1) {
		if (option == 'o')
			given = optarg;
		else
			list = optarg;
	}
	if (optind == argc)
		return verb_usage(argv, "no command");
	if (list && (wrong = options_check(list, reason)))
		return fail(STATUS_OURS, "--options: %s", wrong);
	wrong = pattern_init(&pattern, given);
	if (wrong)
		status = fail(STATUS_OURS, "the output pattern '%s' %s", given, wrong);
	else if ((error = pattern_writable(&pattern)) < 0)
		status = fail(STATUS_OURS, "no report can be written to %s: %s", pattern.directory, strerror(-error));
	else
		status = run(argv + optind, &pattern, list);
	pattern_finish(&pattern);
	return status;
}
