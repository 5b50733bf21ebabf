/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/strings.h"
#include <stdint.h>
#include <string.h>
#include "ledger/index.h"
#include "ledger/internal.h"
#include "ledger/table.h"

struct text {
	const char *text;
	size_t length;
};

static struct table texts = TABLE(struct text);
static struct index by_content;

static bool same_text(const void *key, uint32_t id)
{
	const struct text *wanted = key, *known = table_get(&texts, id);

	return wanted->length == known->length && memcmp(wanted->text, known->text, wanted->length) == 0;
}

/* add - under the lock. The index entry comes last: a copy made in between has an unused text, nothing worse. */
static const char *add(const struct text *wanted, uint32_t hash)
{
	struct text *known = table_next(&texts, &ledger_arena);
	char *copy;

	if (!known || !index_reserve(&by_content, &ledger_arena))
		return NULL;
	copy = arena_strndup(&ledger_arena, wanted->text, wanted->length);
	if (!copy)
		return NULL;
	*known = (struct text){ copy, wanted->length };
	index_put(&by_content, hash, table_publish(&texts));
	return copy;
}

const char *strings_intern_n(const char *text, size_t length)
{
	struct text wanted = { text, length };
	const char *found = NULL;
	uint32_t hash, id;

	if (!text)
		return NULL;
	hash = index_hash(0, text, length);
	/* Readers need no lock; only a miss takes it, and looks again. */
	id = index_find(&by_content, hash, same_text, &wanted);
	if (id != INDEX_NONE)
		return ((const struct text *)table_get(&texts, id))->text;
	if (!lock_take(&ledger_lock))
		return NULL;
	id = index_find(&by_content, hash, same_text, &wanted);
	if (id != INDEX_NONE)
		found = ((const struct text *)table_get(&texts, id))->text;
	else
		found = add(&wanted, hash);
	lock_release(&ledger_lock);
	return found;
}

const char *strings_intern(const char *text)
{
	return text ? strings_intern_n(text, strlen(text)) : NULL;
}
