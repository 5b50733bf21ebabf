/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields.h - typed access to the fields of a JSON document, remembering where the first wrong one is. After a failure
 * every access gives an empty value, so a caller reads on without a test after each field and looks at
 * fields.failed where it must not go on (before it follows what it read).
 */
#ifndef TOOLS_FIELDS_H
#define TOOLS_FIELDS_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "pool.h"

/* May a field be null or absent? The value is then NULL, UNKNOWN or false. */
enum need { NEEDED, NULLABLE };

/* One level of nesting: a JSON object and how it is reached, for the message. Lives on the caller's stack. */
struct node {
	const struct node *up;
	const char *key;        /* NULL for an element of an array: then @index */
	size_t index;
	const json_t *json;
};

struct fields {
	struct pool *pool;
	char *reason;
	size_t reason_size;
	bool failed;
};

/* Items with an id as their first member (int64_t), in the order of the report, and the way from id to item. */
struct table {
	const char *name;       /* "object": in messages */
	void *items;
	size_t count, size;
	struct table_key *keys;
};

/* fields_fail - remember the first failure: "objects[3].holders[0].path: REASON". @key may be NULL. */
void fields_fail(struct fields *fields, const struct node *node, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

const char *field_text(struct fields *fields, const struct node *node, const char *key, enum need need);
int64_t field_number(struct fields *fields, const struct node *node, const char *key, enum need need);
bool field_flag(struct fields *fields, const struct node *node, const char *key, enum need need);

/* field_choice - index of the field's text in @names, which NULL ends. Failure or (NULLABLE) null: -1. */
int field_choice(struct fields *fields, const struct node *node, const char *key, enum need need,
	const char *const *names);

/* field_object - the object in field @key as @child. Return: false if there is none. */
bool field_object(struct fields *fields, const struct node *node, const char *key, enum need need, struct node *child);

/* field_array - the array in field @key as @child, with its length; 0 if there is none. */
size_t field_array(struct fields *fields, const struct node *node, const char *key, enum need need,
	struct node *child);
/* element_object - element @index of @array, which must be an object. Return: false if it is not. */
bool element_object(struct fields *fields, const struct node *array, size_t index, struct node *child);
/* field_texts - an array of texts. Owner: pool. */
const char **field_texts(struct fields *fields, const struct node *node, const char *key, enum need need,
	size_t *count);

/* field_table - make room for the items of array @key and read their ids: unique, at least 0. */
void field_table(struct fields *fields, const struct node *root, const char *key, const char *name, size_t size,
	struct table *table);
/* field_reference - the item of @table whose id the field has, or NULL. */
void *field_reference(struct fields *fields, const struct node *node, const char *key, enum need need,
	const struct table *table);
/* field_references - the same for an array of ids. Owner: pool. */
void *field_references(struct fields *fields, const struct node *node, const char *key, enum need need,
	const struct table *table, size_t *count);

#endif
