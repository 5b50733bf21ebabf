/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who else knows of a closure, by its own address or that of its code, can call or change it: then what it leads to is
 * not its handler's alone. Those that must know are libc's table of fork handlers, and the closure library's own
 * records.
 */
#include <errno.h>
#include <stdlib.h>

#include "ledger/blocks.h"
#include "ledger/registrations.h"
#include "native/memory.h"
#include "native/modules.h"
#include "report/kept_parts.h"
#include "report/origin.h"
#include "report/scan.h"

#define WORD sizeof(uintptr_t)
#define ROUNDS 8u

struct asking {
	const struct slots *slots;
	const struct gathered *gathered;
	const struct roots *roots;
	uintptr_t low, high;   /* what is asked about lies between */
	bool *told;            /* [slots] */
};

/* Does libc keep what stands at @at: in its data, or in a block that it has asked for itself? */
static bool is_libcs(const struct asking *asking, uintptr_t at)
{
	const struct root_span *span = roots_find(asking->roots, at);
	uint32_t block = mark_find(&asking->gathered->mark, at), module;
	if (span && span->kind == ROOT_LIBC)
		return true;
	if (block == MARK_FREE)
		return false;
	module = origin_module(origin_of(BLOCK_TRACE(blocks_get(asking->gathered->mark.block[block].start))).node);
	return module != MODULE_NONE && slots_everybodys(modules_get(module));
}

/* prepare, parent and child as they were registered, then the handle. The program may keep the same for itself. */
static bool in_libcs_table(const struct asking *asking, uintptr_t at, uintptr_t code)
{
	if (!is_libcs(asking, at))
		return false;
	for (uint32_t i = 0; i < registrations_count(); i++) {
		const struct registration *entry = registrations_get(i);
		for (int phase = 0; phase < PHASES; phase++) {
			const uintptr_t *record = (const uintptr_t *)(at - (uintptr_t)phase * WORD);
			if (entry->kind != REGISTRATION_NATIVE || entry->callable[phase] != code ||
			    !memory_range_readable((uintptr_t)record, (PHASES + 1) * WORD))
				continue;
			if (record[PHASE_BEFORE] == entry->callable[PHASE_BEFORE] &&
			    record[PHASE_PARENT] == entry->callable[PHASE_PARENT] &&
			    record[PHASE_CHILD] == entry->callable[PHASE_CHILD] && record[PHASES] == entry->handle)
				return true;
		}
	}
	return false;
}

/* Does @word, which stands at @at, tell of the closure? */
static bool tells(const struct asking *asking, const struct thunk *thunk, uintptr_t at, uintptr_t word)
{
	const struct root_span *span = roots_find(asking->roots, thunk->start);
	bool neighbour = span && at - span->start < span->end - span->start;
	if (at == thunk->parameter || modules_find(at) == modules_find((uintptr_t)(void *)slots_find))
		return false;
	if (word == thunk->code) {
		/* libffi's record of code of its own pages: that, then where its parameter is. */
		if (thunk->parameter && memory_readable(at + WORD) && *(const uintptr_t *)(at + WORD) == thunk->parameter)
			return false;
		return !in_libcs_table(asking, at, word);
	}
	if (word - thunk->base >= thunk->start + thunk->size - thunk->base)
		return false;
	/* The allocator's: the free memory behind the closure begins at its last word. */
	if (thunk->base == thunk->start)
		return word != thunk->start + thunk->size - WORD ||
		       !(neighbour || (thunk->library != MODULE_NONE && modules_find(at) == thunk->library));
	return !neighbour;
}

static bool look(void *asking_pointer, uintptr_t start, uintptr_t end, bool unused)
{
	const struct asking *asking = asking_pointer;
	(void)unused;
	for (uintptr_t at = (start + WORD - 1) & ~(WORD - 1); at + WORD <= end; at += WORD) {
		uintptr_t word = *(const uintptr_t *)at;
		if (word - asking->low >= asking->high - asking->low)
			continue;
		for (uint32_t i = 0; i < asking->slots->count; i++)
			if (asking->slots->list[i].thunk.kind == THUNK_CLOSURE && !asking->told[i])
				asking->told[i] = tells(asking, &asking->slots->list[i].thunk, at, word);
	}
	return true;
}

/* What slots alone lead to tells nobody else; nor does a closure, unless it is told of itself. */
static bool is_asked(void *asking_pointer, uint32_t block)
{
	const struct asking *asking = asking_pointer;
	const struct gathered *gathered = asking->gathered;
	return gathered->mark.block[block].label >= MARK_OUTSIDE &&
	       (gathered->kind[block] != GATHER_CLOSURE || gathered->mark.block[block].label == MARK_OUTSIDE);
}

/* Of those that lead to something and are not known to be told of. Return: are there any? */
static bool limits(struct asking *asking)
{
	asking->low = UINTPTR_MAX;
	asking->high = 0;
	for (uint32_t i = 0; i < asking->slots->count; i++) {
		const struct thunk *thunk = &asking->slots->list[i].thunk;
		uint32_t block = asking->gathered->slot[i];
		if (thunk->kind != THUNK_CLOSURE || asking->gathered->mark.block[block].label == MARK_OUTSIDE ||
		    !kept_leads(asking->gathered, block))
			continue;
		uintptr_t low = thunk->code < thunk->base ? thunk->code : thunk->base;
		uintptr_t high = thunk->start + thunk->size;
		high = thunk->code >= high ? thunk->code + 1 : high;
		asking->low = low < asking->low ? low : asking->low;
		asking->high = high > asking->high ? high : asking->high;
	}
	return asking->high != 0;
}

/* Return: was any of them still thought to be its handler's alone? */
static bool take_back(const struct asking *asking, struct gathered *gathered, bool all)
{
	struct mark *mark = &gathered->mark;
	bool any = false;
	for (uint32_t i = 0; i < asking->slots->count; i++) {
		uint32_t block = gathered->slot[i];
		if (asking->slots->list[i].thunk.kind != THUNK_CLOSURE || !(asking->told[i] || all) ||
		    mark->block[block].label == MARK_OUTSIDE)
			continue;
		any = true;
		mark->block[block].label = MARK_OUTSIDE;
		mark_outside(mark, mark->block[block].start, mark_end(mark, block), false);
	}
	mark_spread(mark);
	return any;
}

/* What is taken back may tell of others. */
int kept_closures(const struct kept *kept, struct gathered *gathered, const struct roots *roots)
{
	struct asking asking = {.slots = &kept->slots, .gathered = gathered, .roots = roots};
	bool more = true;
	asking.told = calloc(kept->slots.count + (size_t)1, 1);
	if (!asking.told)
		return -ENOMEM;
	for (unsigned round = 0; more && limits(&asking); round++) {
		scan_visit(&gathered->mark, roots, is_asked, look, &asking);
		more = take_back(&asking, gathered, round == ROUNDS);
	}
	free(asking.told);
	return 0;
}
