/* SPDX-License-Identifier: Apache-2.0 */
#include "native/names.h"
#include "ledger/registrations.h"
#include "ledger/stacks.h"
#include "native/modules.h"

/* Thousands of registrations of one function are one question. */
#define ANSWERS 1024u
static struct {
	uint64_t offset;
	uint32_t module;
	bool known;
	const char *name;
} answers[ANSWERS];

static const char *name_at(uint32_t module, uint64_t offset)
{
	uint32_t slot = (uint32_t)(offset ^ offset >> 10 ^ module * 31) % ANSWERS;

	if (!answers[slot].known || answers[slot].module != module || answers[slot].offset != offset) {
		answers[slot].name = modules_symbol_at(module, offset, true);
		answers[slot].module = module;
		answers[slot].offset = offset;
		answers[slot].known = true;
	}
	return answers[slot].name;
}

void names_complete(void)
{
	for (uint32_t i = 0; i < frames_count(); i++) {
		const struct frame *frame = frames_get(i);

		if (!frame->python && !frame->function && frame->module != MODULE_NONE)
			frames_name(i, name_at(frame->module, frame->offset));
	}
	for (uint32_t i = 0; i < registrations_count(); i++) {
		struct registration *entry = registrations_get(i);

		for (int phase = 0; entry->kind == REGISTRATION_NATIVE && phase < PHASES; phase++) {
			uint32_t module = entry->code_module[phase];
			uintptr_t code = entry->callable[phase];

			if (code && !entry->symbol[phase] && module != MODULE_NONE)
				entry->symbol[phase] = name_at(module, code - modules_get(module)->bias);
		}
	}
}
