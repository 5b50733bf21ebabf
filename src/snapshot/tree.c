/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "snapshot/tree.h"
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/os.h"
#include "forkheld/report.h"

#define KEY FORKHELD_ENV_TREE "="

static struct arena arena;
static bool root;

bool tree_root(void)
{
	return root;
}

void tree_child(void)
{
	root = false;
}

static void pid_text(char *text, pid_t pid)
{
	char digits[16], *first = digits + sizeof(digits) - 1;

	*first = '\0';
	do {
		*--first = (char)('0' + pid % 10);
	} while (pid /= 10);
	strcpy(text, first);
}

/* At the front, not at the end: programs that write their title over argv and the environment take the last entry for
 * the end of that area. Not by setenv, which would leave a block on the host's heap. */
static void publish(const char *pid)
{
	size_t count = 0;
	char **copy, *entry;

	while (environ && environ[count])
		count++;
	copy = arena_alloc(&arena, (count + 2) * sizeof(*copy));
	entry = arena_alloc(&arena, strlen(KEY) + strlen(pid) + 1);
	if (!copy || !entry)
		return;
	strcpy(entry, KEY);
	strcat(entry, pid);
	copy[0] = entry;
	if (count > 0)
		memcpy(copy + 1, environ, count * sizeof(*copy));
	environ = copy;
}

void tree_init(void)
{
	char pid[16];

	pid_text(pid, os_getpid());
	for (char **entry = environ; entry && *entry; entry++) {
		if (strncmp(*entry, KEY, strlen(KEY)) == 0) {
			root = strcmp(*entry + strlen(KEY), pid) == 0;
			return;
		}
	}
	root = true;
	publish(pid);
}
