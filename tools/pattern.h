/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.h - where the reports of a run go: FORKHELD_OUTPUT's %p, %e, %n, %%, and what was written there. */
#ifndef TOOLS_PATTERN_H
#define TOOLS_PATTERN_H
#include <stdbool.h>
#include <stddef.h>

struct pattern {
	char *text;             /* absolute: the same for all processes of the run, wherever they stand */
	char *directory;        /* NULL: its name depends on the process */
	const char *name;       /* in @text: the last component */
	const char *shown;      /* what the user gave: how files are named to him */
	char **before;          /* files that were there before */
	size_t before_count;
};

/* pattern_init - from what the user gave. Return: NULL, or what is wrong with it (static). Owner: caller, also after a
 * failure: pattern_finish(). */
const char *pattern_init(struct pattern *pattern, const char *given);
void pattern_finish(struct pattern *pattern);

/* pattern_writable - can a file be made in the directory? Leaves nothing behind. Return: 0 or a negative errno. */
int pattern_writable(const struct pattern *pattern);

/* pattern_is_tight - has the directory's file system less room left for this user than many a report takes? */
#define PATTERN_ROOM_KIB 64u
bool pattern_is_tight(const struct pattern *pattern);

/* pattern_matches - is @file a name that the pattern gives (with .1, .2, ... behind it)? */
bool pattern_matches(const char *name, const char *file);

/* pattern_before - remember what is there. pattern_after - what is there now and was not, sorted, as paths that the
 * user can give to other verbs. Owner: caller, each and the array. Return: their number. */
void pattern_before(struct pattern *pattern);
size_t pattern_after(const struct pattern *pattern, char ***files);

#endif
