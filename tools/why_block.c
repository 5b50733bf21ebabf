/* SPDX-License-Identifier: Apache-2.0 */
#include "why_block.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "live.h"
#include "text.h"
#include "why.h"

#define REGISTRATIONS 20
/* Steps of a path that are printed at each end of a longer one. */
#define STEPS 8

bool why_block_matches(struct report *report, const char *pattern, const struct block *block)
{
	const struct call *call;

	if (why_glob(pattern, block->slot_symbol) ||
	    (block->slot_module && why_glob_path(pattern, block->slot_module->path)))
		return true;
	call = calls_suspect(calls_of(report, block->allocated));
	return call && (why_glob(pattern, call->function) || why_glob_path(pattern, call->place.file) ||
			why_glob_path(pattern, text_place(&report->pool, &call->place)));
}

static bool same_slot(const struct block *a, const struct block *b)
{
	return a->slot_closure == b->slot_closure && a->slot_module == b->slot_module && a->slot_offset == b->slot_offset &&
		(a->slot_symbol == b->slot_symbol ||
		 (a->slot_symbol && b->slot_symbol && strcmp(a->slot_symbol, b->slot_symbol) == 0));
}

static void put_readers(FILE *out, const struct block *block)
{
	if (!block->has_slot_readers)
		return;
	/* Who can be found to know of a closure makes it none. */
	if (block->slot_closure && block->slot_reader_count == 0) {
		fprintf(out, "  %-12s nothing but libc's table of fork handlers\n", "known to");
		return;
	}
	fprintf(out, "  %-12s ", "also read by");
	for (size_t i = 0; i < block->slot_reader_count; i++)
		fprintf(out, "%s%s", i ? ", " : "",
			block->slot_readers[i] ? block->slot_readers[i] : "perhaps others (no symbol says)");
	if (block->slot_readers_dropped > 0)
		fprintf(out, " and %" PRId64 " more", block->slot_readers_dropped);
	fputs(block->slot_reader_count == 0 ? "nothing but fork handlers and what registers them\n" : "\n", out);
}

static void put_slot(FILE *out, struct report *report, const struct block *block)
{
	char count[WORD_SIZE], size[WORD_SIZE];
	int64_t blocks = 0, bytes = 0;
	const char *label = "used by";

	for (size_t i = 0; i < report->block_count; i++) {
		if (!same_slot(&report->blocks[i], block))
			continue;
		blocks++;
		bytes = sum_of(bytes, report->blocks[i].bytes);
	}
	fprintf(out, "%sslot%s  %s", style.strong, style.off, text_slot(&report->pool, block));
	if (!block->slot_closure && block->slot_symbol && block->slot_offset != UNKNOWN)
		fprintf(out, "  at +0x%" PRIx64, (uint64_t)block->slot_offset);
	fprintf(out, "  %s\n", block->strength ? block->strength : "strength unknown");
	fprintf(out, "  %-12s %s, %s%s\n", "holds", text_count(count, blocks, "block"), text_size(size, bytes),
		report->blocks_dropped > 0 ? ", as far as they are listed" : "");
	for (size_t i = 0; i < block->registration_count && i < REGISTRATIONS; i++) {
		const struct registration *registration = block->registrations[i];

		for (size_t j = 0; j < registration->callable_count; j++, label = "")
			fprintf(out, "  %-12s %s  %s (r%" PRId64 ")\n", label,
				text_callable(&report->pool, &registration->callables[j]),
				phase_names[registration->callables[j].phase], registration->id);
	}
	if (block->registration_count > REGISTRATIONS)
		fprintf(out, "  %-12s and %zu more registrations\n", "", block->registration_count - REGISTRATIONS);
	put_readers(out, block);
}

/* put_step - what leads to @block. */
static void put_step(FILE *out, struct report *report, const char *label, const struct block *block)
{
	const struct block *from = block->holder;
	const struct call *call;
	char size[WORD_SIZE];

	fprintf(out, "  %-12s ", label);
	if (!from) {
		fprintf(out, "%s+%" PRId64, text_slot(&report->pool, block), block->holder_offset);
	} else {
		call = calls_suspect(calls_of(report, from->allocated));
		fprintf(out, "b%" PRId64 "+%" PRId64 "  %s%s%s", from->id, block->holder_offset,
			text_size(size, from->bytes), call ? " of " : "", call ? call->function : "");
	}
	fprintf(out, " -> b%" PRId64 "\n", block->id);
}

/* put_path - from the slot to @block. */
static void put_path(FILE *out, struct report *report, const struct block *block)
{
	const struct block **path;
	const char *label = "path";
	size_t count = 0;

	if (block->holder_offset == UNKNOWN)
		return;
	/* A report from elsewhere may go round in circles. */
	path = take(report->block_count, sizeof(*path));
	for (const struct block *at = block; at && count < report->block_count; at = at->holder)
		path[count++] = at;
	for (size_t i = count; i-- > 0; label = "") {
		if (count - i > STEPS && i >= STEPS) {
			if (i == STEPS)
				fprintf(out, "  %-12s %sand %zu more%s\n", "", style.dim, count - 2 * STEPS, style.off);
			continue;
		}
		put_step(out, report, label, path[i]);
	}
	free(path);
}

static void put_block(FILE *out, struct report *report, const struct block *block)
{
	char size[WORD_SIZE];

	fprintf(out, "%sblock b%" PRId64 "%s  %s%s%s\n", style.strong, block->id, style.off,
		text_size(size, block->bytes), block->verdict ? "  " : "", block->verdict ? block->verdict : "");
	put_path(out, report, block);
	live_stack(out, report, "allocated", block->allocated, false);
}

size_t why_blocks(FILE *out, struct report *report, const bool *marks, size_t limit)
{
	const struct block *last = NULL;
	size_t shown = 0, hidden = 0;

	for (size_t i = 0; i < report->block_count; i++) {
		const struct block *block = &report->blocks[i];

		if (!marks[i] || shown == limit) {
			hidden += marks[i];
			continue;
		}
		if (!last || !same_slot(last, block))
			put_slot(out, report, block);
		put_block(out, report, block);
		last = block;
		shown++;
	}
	return hidden;
}
