/* SPDX-License-Identifier: Apache-2.0 */
#include "native/names.h"
#include <stdlib.h>
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

/* Frames below this one have been asked for. */
static uint32_t asked;

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

static bool nameless(const struct frame *frame)
{
	return !frame->python && !frame->function && frame->module != MODULE_NONE;
}

static int by_place(const void *left, const void *right)
{
	const struct symbol_question *a = left, *b = right;
	uint32_t first = frames_get(a->id)->module, second = frames_get(b->id)->module;

	if (first != second)
		return first < second ? -1 : 1;
	return (a->offset > b->offset) - (a->offset < b->offset);
}

void names_frames(void)
{
	uint32_t end = frames_count(), count = 0, next;
	struct symbol_question *questions = calloc(end - asked + (size_t)1, sizeof(*questions));

	for (uint32_t i = asked; i < end && questions; i++)
		if (nameless(frames_get(i)))
			questions[count++] = (struct symbol_question){ .offset = frames_get(i)->offset, .id = i };
	if (count)
		qsort(questions, count, sizeof(*questions), by_place);
	for (uint32_t first = 0; first < count; first = next) {
		uint32_t module = frames_get(questions[first].id)->module;

		for (next = first; next < count && frames_get(questions[next].id)->module == module;)
			next++;
		modules_symbols_at(module, &questions[first], next - first);
	}
	for (uint32_t i = 0; i < count; i++)
		frames_name(questions[i].id, questions[i].name);
	free(questions);
	asked = end;
}

void names_complete(void)
{
	names_frames();
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
