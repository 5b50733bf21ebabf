/* SPDX-License-Identifier: Apache-2.0 */
#include "report/findings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forkheld/report.h"
#include "ledger/strings.h"

/* FNV-1a over the parts, with a separator that no part contains. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; text && *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	return (hash ^ 0xff) * 0x100000001b3u;
}

struct finding *findings_group(struct findings *findings, const char *rule, const char *name, const char *level,
			       const char *type, const char *callable, const char *holder)
{
	/* The texts are interned, so pointers say whether they are equal. */
	for (uint32_t i = findings->count; i-- > 0;) {
		struct finding *finding = &findings->list[i];
		if (strcmp(finding->rule, rule) == 0 && finding->type == type && finding->callable == callable &&
		    finding->holder == holder && strcmp(finding->level, level) == 0)
			return finding;
	}
	if (findings->count == findings->room) {
		uint32_t room = findings->room ? 2 * findings->room : 16;
		void *larger = realloc(findings->list, room * sizeof *findings->list);
		if (!larger)
			return NULL;
		findings->list = larger;
		findings->room = room;
	}
	struct finding *finding = &findings->list[findings->count++];
	*finding = (struct finding){.rule = rule, .name = name, .level = level, .type = type, .callable = callable,
				    .holder = holder};
	uint64_t hash = hash_text(0xcbf29ce484222325u, rule);
	hash = hash_text(hash_text(hash_text(hash, type), callable), holder);
	if (strcmp(rule, "FH003") == 0)
		hash = hash_text(hash, level);
	snprintf(finding->fingerprint, sizeof finding->fingerprint, "%012llx", (unsigned long long)(hash >> 16));
	return finding;
}

struct frame registration_site(const struct registration *record)
{
	uint32_t stacks[] = {record->stack, record->native_stack};
	for (unsigned i = 0; i < 2; i++) {
		unsigned count = 0;
		const uint32_t *frames = stacks[i] == STACK_NONE ? NULL : stacks_get(stacks[i], &count);
		if (count)
			return *frames_get(frames[0]);
	}
	return (struct frame){.module = MODULE_NONE};
}

static int settle(struct finding *finding)
{
	numbers_sort(&finding->registrations);
	finding->inherited = finding->registrations.count > 0;
	for (uint32_t i = 0; i < finding->registrations.count; i++) {
		const struct registration *record = registrations_get(finding->registrations.items[i]);
		if (record->generation == registrations_generation())
			finding->inherited = false;
		if (i == 0)
			finding->site = registration_site(record);
	}
	if (finding->inherited)
		finding->level = FORKHELD_LEVEL_NOTE;
	for (uint32_t i = 0; i < finding->also.count; i++)
		if (!numbers_add(&finding->registrations, finding->also.items[i]))
			return -ENOMEM;
	numbers_sort(&finding->registrations);
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct finding *a = left, *b = right;
	int rule = strcmp(a->rule, b->rule);
	if (rule)
		return rule;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return strcmp(a->fingerprint, b->fingerprint);
}

int findings_make(struct findings *findings, struct analysis *analysis, struct path_search *search,
		  const struct kept *kept)
{
	int result = analysis ? findings_python(findings, analysis, search) : 0;
	if (result == 0)
		result = findings_ledger(findings, analysis);
	if (result == 0 && kept)
		result = findings_native(findings, kept);
	for (uint32_t i = 0; i < findings->count && result == 0; i++)
		result = settle(&findings->list[i]);
	if (findings->count)
		qsort(findings->list, findings->count, sizeof *findings->list, compare);
	return result;
}
