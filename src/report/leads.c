/* SPDX-License-Identifier: Apache-2.0 */
#include "report/leads.h"

#include "base/address.h"
#include "ledger/blocks.h"
#include "ledger/blocks_fast.h"
#include "python/buffers.h"
#include "python/objects.h"
#include "report/origin.h"

#define WORD sizeof(uintptr_t)
#define REACH 65536u      /* how far before an address a block is looked for */
#define HEAD_MOST 32u     /* bytes of a block before its object */

static bool in_heap(const struct roots *roots, uintptr_t address)
{
	const struct root_span *span = roots_find(roots, address);
	return span && (span->kind == ROOT_MEMORY || span->kind == ROOT_HEAP);
}

static bool holds_object(const struct heap *heap, uintptr_t block)
{
	for (uintptr_t head = 0; head <= HEAD_MOST; head += 16) {
		uint32_t node = heap_node(heap, (const pyobject *)(block + head));
		if (node != NODE_NONE && objects_block(heap->objects[node]) == block)
			return true;
	}
	return false;
}

bool leads_word(const struct roots *roots, uintptr_t word)
{
	if (word < 4096 || word >> ADDRESS_BITS)
		return false;
	/* musl has blocks in the pages of modules' data, too. Else the middle of a large block, or nobody's. */
	return blocks_page(word) ? roots_find(roots, word) && blocks_at_or_before(word, REACH) : in_heap(roots, word);
}

void leads_cut(struct roots *roots, uintptr_t at)
{
	if (leads_word(roots, *(const uintptr_t *)at))
		roots_cut(roots, at, at + WORD);
}

/* Most words are: the node's entry says so at once. */
static bool is_object(const struct heap *heap, uintptr_t word)
{
	uint32_t node = heap_node(heap, (const pyobject *)word);
	return node != NODE_NONE && objects_block(heap->objects[node]);
}

static bool leads(const struct heap *heap, const struct roots *roots, uintptr_t word, const uintptr_t *tables,
		  unsigned count)
{
	if (is_object(heap, word) || !leads_word(roots, word))
		return false;
	uintptr_t block = blocks_page(word) ? blocks_at_or_before(word, REACH) : 0;
	if (!block)
		return true;
	if (holds_object(heap, block))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (word == tables[i] || blocks_at_or_before(tables[i], REACH) == block)
			return false;
	return true;
}

static bool object_leads(const struct heap *heap, const struct roots *roots, const pyobject *object)
{
	uintptr_t tables[BUFFERS_TABLES], block = objects_block(object);
	unsigned count = buffers_tables(object, tables);
	uintptr_t end = block ? block + origin_block_size(block, true) : buffers_least_end(object);
	for (uintptr_t at = block ? block : (uintptr_t)object; at + WORD <= end; at += WORD)
		if (leads(heap, roots, *(const uintptr_t *)at, tables, count))
			return true;
	return false;
}

bool leads_find(const struct analysis *analysis, const struct roots *roots, const uint8_t *wanted)
{
	const struct heap *heap = &analysis->heap;
	for (uint32_t i = heap->registration_count; i < heap->count; i++)
		if (wanted[i] && !buffers_plain(heap->objects[i]) && object_leads(heap, roots, heap->objects[i]))
			return true;
	return false;
}
