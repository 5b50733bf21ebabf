/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suppressions.h - the findings that somebody looked at and accepted. One a line:
 *
 *	FINGERPRINT [RULE]  # reason
 *
 * The reason is mandatory. Empty lines and lines that begin with # are comments. A RULE that is given must be the
 * finding's. A reason that begins with "unreviewed:" was written by --write-suppressions: check counts those.
 */
#ifndef TOOLS_SUPPRESSIONS_H
#define TOOLS_SUPPRESSIONS_H
#include <stdbool.h>
#include <stddef.h>
#include "merge.h"
#include "pool.h"

#define UNREVIEWED "unreviewed:"

struct suppression {
	const char *file;
	size_t line;
	const char *text;               /* the whole line, not cleaned: what is written again */
	const char *fingerprint;        /* NULL: a comment */
	const char *rule;               /* NULL: any */
	const char *reason;             /* cleaned */
	bool used, unreviewed;
};

struct suppressions {
	struct pool pool;
	struct suppression *items;
	size_t count, room;
};

/* suppressions_read - append the lines of @file. Return: true, or false after one line on stderr. */
bool suppressions_read(struct suppressions *suppressions, const char *file);

/* suppressions_match - the first line for this finding, marked as used (as are all others for it), or NULL. */
const struct suppression *suppressions_match(struct suppressions *suppressions, const struct finding *finding);

/* suppressions_write - @file with the lines of @suppressions that were used (and all comments), then one line for each
 * of the @count findings. An existing @file is replaced, at once or not at all, only if it is one of those that were
 * read: its reasons would be lost otherwise. Return: true, or false after one line on stderr. */
bool suppressions_write(const struct suppressions *suppressions, const char *file, const struct merged *const *findings,
	size_t count);

void suppressions_finish(struct suppressions *suppressions);

#endif
