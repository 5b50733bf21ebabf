/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - an array that grows without moving: chunks of doubling size. One writer at a time (the ledger's lock), any
 * number of readers without a lock: an item is written whole before the count that covers it is stored, so a frozen
 * copy or a forked child made at any instant sees whole items only.
 */
#ifndef LEDGER_TABLE_H
#define LEDGER_TABLE_H
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"

#define TABLE_FIRST 64u   /* items in chunk 0; chunk k has TABLE_FIRST << k */
#define TABLE_CHUNKS 26u  /* all of 32-bit ids */

struct table {
	size_t item;     /* bytes of one item */
	uint32_t count;  /* published items */
	char *chunk[TABLE_CHUNKS];
};

/* TABLE - static initialiser for items of @type. */
#define TABLE(type) { .item = sizeof(type) }

/* table_next - zeroed room for the item that will have the id table_count(); not visible until table_publish.
 * Thread: the caller serialises table_next and table_publish. Return: NULL when memory ran out. */
void *table_next(struct table *table, struct arena *arena);

/* table_publish - make the item of the last table_next visible. Return: its id. */
uint32_t table_publish(struct table *table);

/* table_count, table_get - any thread, no lock, signal safe. @id must be below the count. */
uint32_t table_count(const struct table *table);
void *table_get(const struct table *table, uint32_t id);

#endif
