/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "text.h"
#include "verbs.h"

static const struct verb {
	const char *name;
	verb_main *main;
	const char *does;
} verbs[] = {
	{"run", run_main, "run a program with the library, and say what was found"},
	{"show", show_main, "the findings of reports as retention traces"},
	{"why", why_main, "who holds an object, what a registration holds, what would free it"},
	{"handlers", handlers_main, "all fork registrations, in the order in which they run"},
	{"diff", diff_main, "what grew from one report to another"},
	{"export", export_main, "live blocks for the viewers of flame graphs and profiles"},
	{"check", check_main, "for scripts: pass or fail on findings"},
	{"doctor", doctor_main, "say beforehand what can be seen of a program"},
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static void print_help(void)
{
	puts("usage: forkheld VERB [OPTION...] [ARGUMENT...]\n\n"
	     "What is kept alive only because somebody registered a fork handler?\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		printf("  %-10s%s\n", verbs[i].name, verbs[i].does);
	puts("\n  --help     this text; forkheld VERB --help says what VERB takes\n"
	     "  --version  the version\n\n"
	     "A REPORT is the file that a run left (forkheld.PID.json); - is standard input.");
}

static int dispatch(int argc, char **argv, const struct verb *verb)
{
	char *name;
	int status;

	if (asprintf(&name, "forkheld %s", verb->name) < 0) {
		fputs("forkheld: out of memory\n", stderr);
		return STATUS_REPORT;
	}
	argv[0] = name;
	status = verb->main(argc, argv);
	free(name);
	return status;
}

int main(int argc, char **argv)
{
	char line[200];

	setlocale(LC_CTYPE, "");
	text_start();
	if (argc < 2) {
		fputs("forkheld: no verb: run, show, why, handlers, diff, export, check or doctor (see forkheld --help)\n",
			stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_help();
		return text_end(STATUS_GOOD);
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("forkheld " FORKHELD_VERSION);
		return text_end(STATUS_GOOD);
	}
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return text_end(dispatch(argc - 1, argv + 1, &verbs[i]));
	fprintf(stderr, "forkheld: unknown verb '%s' (see forkheld --help)\n", clean_line(line, sizeof(line), argv[1]));
	return STATUS_USAGE;
}
