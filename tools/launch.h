/* SPDX-License-Identifier: Apache-2.0 */
/* launch.h - a command executed with the library, and waited for. */
#ifndef TOOLS_LAUNCH_H
#define TOOLS_LAUNCH_H
#include <stdbool.h>
#include <sys/types.h>

/* library_find - the path of libforkheld.so: $FORKHELD_LIBRARY, beside the build tree, or where it was installed.
 * Return: the path (owner: caller, free()), or NULL with *@reason set (static). */
char *library_find(const char **reason);

/* launch - execute @argv with @library preloaded (NULL: without). FORKHELD_OUTPUT and FORKHELD_OPTIONS are set to
 * @output and @options (NULL: left alone), FORKHELD_TREE is taken away: the command is the first of its tree.
 * Signals: the command gets them as it would without us; while it runs we let SIGINT and SIGQUIT be its affair, and
 * pass SIGTERM and SIGHUP on.
 * Return: true with *@pid and *@status (as waitpid gives it), or false with *@error (errno) if it could not be
 * executed; *@pid is then negative if there was no process for it. */
bool launch(char *const *argv, const char *library, const char *output, const char *options, pid_t *pid, int *status,
	int *error);

#endif
