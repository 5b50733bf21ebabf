/* SPDX-License-Identifier: Apache-2.0 */
#include "base/libc.h"
#include <stddef.h>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#include <stdlib.h>

void libc_learn(void)
{
}

const char *libc_version(void)
{
	return gnu_get_libc_version();
}

bool libc_bears_marks(void)
{
	char *point;
	long major = strtol(gnu_get_libc_version(), &point, 10);

	return major > 2 || (major == 2 && *point == '.' && strtol(point + 1, NULL, 10) >= 36);
}

#else
#include <link.h>
#include <stdint.h>
#include <string.h>

/* "1.2.3", perhaps with what git says behind it. */
static bool is_version(const char *text, size_t length)
{
	unsigned points = 0;
	size_t at = 0;

	for (; at < length && text[at] != '-'; at++) {
		bool digit = text[at] >= '0' && text[at] <= '9';

		if (!digit && (text[at] != '.' || at == 0 || text[at - 1] == '.'))
			return false;
		points += !digit;
	}
	return points == 2 && text[at - 1] != '.' && (at == length || strncmp(text + at, "-git-", 5) == 0);
}

struct search {
	const char *version;
	unsigned count;
};

static void look(struct search *search, const char *start, const char *end)
{
	const char *next;

	for (const char *text = start; text < end; text = next + 1) {
		next = memchr(text, '\0', (size_t)(end - text));
		if (!next)
			return;
		if (next > text && next - text < 64 && is_version(text, (size_t)(next - text))) {
			search->version = text;
			search->count++;
		}
	}
}

/* What is not written to, of the image that has this libc's own code. */
static int visit(struct dl_phdr_info *info, size_t size, void *argument)
{
	uintptr_t inside = (uintptr_t)(void *)dl_iterate_phdr;
	bool found = false;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum && !found; i++)
		found = info->dlpi_phdr[i].p_type == PT_LOAD &&
			inside - info->dlpi_addr - info->dlpi_phdr[i].p_vaddr < info->dlpi_phdr[i].p_memsz;
	for (unsigned i = 0; i < info->dlpi_phnum && found; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		const char *start = (const char *)(info->dlpi_addr + header->p_vaddr);

		if (header->p_type == PT_LOAD && (header->p_flags & (PF_R | PF_W)) == PF_R)
			look(argument, start, start + header->p_filesz);
	}
	return found;
}

static struct search learnt;

void libc_learn(void)
{
	if (!learnt.count)
		dl_iterate_phdr(visit, &learnt);
}

const char *libc_version(void)
{
	return learnt.count == 1 ? learnt.version : NULL;
}

bool libc_bears_marks(void)
{
	return true;
}
#endif
