/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "entry/export.h"
#include "forkheld/forkheld.h"
#include "ledger/registrations.h"
#include "snapshot/snapshot.h"

#define LABEL_MOST 255u

/* Cuts before a character that would be torn apart (UTF-8 continuation bytes are 10xxxxxx). */
static void copy_label(char *copy, const char *label)
{
	size_t length = strnlen(label, LABEL_MOST + 1);

	if (length > LABEL_MOST) {
		length = LABEL_MOST;
		while (length > 0 && ((unsigned char)label[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(copy, label, length);
	copy[length] = '\0';
}

EXPORT int forkheld_snapshot(const char *label)
{
	char copy[LABEL_MOST + 1];

	if (label)
		copy_label(copy, label);
	return snapshot_take(TRIGGER_API, label ? copy : NULL);
}

EXPORT void forkheld_mark(void)
{
	registrations_mark();
}

EXPORT const char *forkheld_version(void)
{
	return FORKHELD_VERSION;
}
