/* SPDX-License-Identifier: Apache-2.0 */
/* outcome.h - the one line that `forkheld run` ends with. */
#ifndef TOOLS_OUTCOME_H
#define TOOLS_OUTCOME_H
#include <stdio.h>
#include <sys/types.h>
#include "pattern.h"
#include "program.h"

/* outcome_print - which reports are new, what they found, how to look at them; or why there is none. @options: those
 * that the library got, or NULL. @pid: the command's, @status: as waitpid gives it. */
void outcome_print(FILE *out, const struct pattern *pattern, const struct program *program, const char *options,
		   pid_t pid, int status);

#endif
