/* SPDX-License-Identifier: Apache-2.0 */
/* verbs.h - the verbs of the command line, one file each, and what they share. */
#ifndef TOOLS_VERBS_H
#define TOOLS_VERBS_H
#include <getopt.h>

enum status {
	STATUS_GOOD = 0,
	STATUS_FOUND = 1,       /* check: findings; diff: grew; why: not found; doctor: limits */
	STATUS_USAGE = 2,
	STATUS_REPORT = 3,      /* a report that cannot be used */
	STATUS_OURS = 125,      /* run: a failure of forkheld's own */
	STATUS_NOT_EXECUTABLE = 126,
	STATUS_NOT_FOUND = 127,
};

/* What all of them are: @argv[0] is "forkheld VERB". Return: the exit status. */
typedef int verb_main(int argc, char **argv);
verb_main run_main, show_main, why_main, handlers_main, diff_main, check_main, doctor_main, export_main;

/* verb_options - getopt_long, which also answers --help (prints @usage and ends the program with status 0) and a wrong
 * option (status 2). @letters as for getopt, beginning with ":" (or "+:").
 * Return: the option, or -1 after the last. */
int verb_options(int argc, char **argv, const char *letters, const struct option *options, const char *usage);

/* verb_usage - "forkheld VERB: REASON" and a hint at --help on stderr. Return: STATUS_USAGE. */
int verb_usage(char **argv, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define HELP_OPTION {"help", no_argument, NULL, 'h'}

#endif
