/* SPDX-License-Identifier: Apache-2.0 */
#include "verbs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "text.h"

int verb_usage(char **argv, const char *format, ...)
{
	char reason[512], line[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	fprintf(stderr, "%s: %s (see %s --help)\n", argv[0], clean_line(line, sizeof(line), reason), argv[0]);
	return STATUS_USAGE;
}

int verb_options(int argc, char **argv, const char *letters, const struct option *options, const char *usage)
{
	int option;

	opterr = 0;
	option = getopt_long(argc, argv, letters, options, NULL);
	if (option == 'h') {
		fputs(usage, stdout);
		exit(text_end(STATUS_GOOD));
	}
	if (option == ':')
		exit(verb_usage(argv, "option '%s' needs a value", argv[optind - 1]));
	if (option == '?') {
		if (optopt > 0 && optopt < 128 && strncmp(argv[optind - 1], "--", 2) != 0)
			exit(verb_usage(argv, "unknown option '-%c'", optopt));
		exit(verb_usage(argv, "unknown option '%s'", argv[optind - 1]));
	}
	return option;
}
