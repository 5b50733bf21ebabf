/* SPDX-License-Identifier: Apache-2.0 */
/* FH005 fork-only-block: one finding for each slot. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "forkheld/report.h"
#include "ledger/strings.h"
#include "native/modules.h"
#include "report/findings.h"

/* "registry in plugin.so": what an edit does not change. */
static const char *slot_name(const struct slot *slot)
{
	const char *path = modules_get(slot->module)->path, *slash = strrchr(path, '/');
	char text[1024];
	const char *symbol = slot->symbol ? slot->symbol : slot->thunk.kind == THUNK_NONE ? "static data" : "a function";
	snprintf(text, sizeof text, "%s%s in %s", slot->thunk.kind == THUNK_NONE ? "" : "the closure of ", symbol,
		 slash ? slash + 1 : path);
	return strings_intern(text);
}

static bool all_baseline(const struct slot *slot)
{
	for (uint32_t i = 0; i < slot->registration_count; i++)
		if (!registrations_get(slot->registrations[i])->baseline)
			return false;
	return true;
}

static void explain(struct finding *finding, const struct kept_slot *about)
{
	const char *plural = finding->count == 1 ? "" : "s";
	char text[2048];
	int length = snprintf(text, sizeof text, "%" PRIu64 " block%s (%" PRIu64 " bytes) that nothing leads to but %s, "
			      "which fork handler %s works with", finding->count, plural, finding->bytes, finding->holder,
			      finding->callable);
	for (uint32_t i = 0; i < about->readers && i < KEPT_READERS && length > 0 && (size_t)length < sizeof text; i++)
		length += snprintf(text + length, sizeof text - (size_t)length, "%s %s", i ? "," : "; also used by",
				   about->reader[i] ? about->reader[i] : "perhaps others (no symbols)");
	if (about->readers > KEPT_READERS && length > 0 && (size_t)length < sizeof text)
		snprintf(text + length, sizeof text - (size_t)length, " and %u more", about->readers - KEPT_READERS);
	finding->message = strings_intern(text);
	finding->fix = about->readers ? "free what the handler needs no more where the other code lets go of it"
				      : "free what the handler works on with its last user: nothing else knows of it";
}

int findings_native(struct findings *findings, const struct kept *kept)
{
	for (uint32_t i = 0; i < kept->slots.count; i++) {
		const struct kept_slot *about = &kept->of_slot[i];
		const struct slot *slot = &kept->slots.list[i];
		if (!about->blocks || all_baseline(slot))
			continue;
		const struct registration *first = registrations_get(slot->registrations[0]);
		struct finding *finding = findings_group(
			findings, "FH005", "fork-only-block", about->readers ? FORKHELD_LEVEL_NOTE : FORKHELD_LEVEL_ERROR, NULL,
			findings_handler(first), slot_name(slot));
		if (!finding)
			return -ENOMEM;
		for (uint32_t j = 0; j < slot->registration_count; j++)
			if (!numbers_add(&finding->registrations, slot->registrations[j]))
				return -ENOMEM;
		for (uint32_t j = 0; j < kept->listed; j++)
			if (kept->blocks[j].slot == i && !numbers_add(&finding->blocks, j))
				return -ENOMEM;
		finding->count += about->blocks;
		finding->bytes += about->bytes;
		explain(finding, about);
	}
	return 0;
}
