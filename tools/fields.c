/* SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "model.h"

struct table_key {
	int64_t id;
	size_t index;
};

static void print_path(FILE *out, const struct node *node)
{
	if (!node->up)
		return;
	print_path(out, node->up);
	if (node->key)
		fprintf(out, "%s%s", node->up->up ? "." : "", node->key);
	else
		fprintf(out, "[%zu]", node->index);
}

void fields_fail(struct fields *fields, const struct node *node, const char *key, const char *format, ...)
{
	va_list arguments;
	FILE *out;

	if (fields->failed)
		return;
	fields->failed = true;
	memset(fields->reason, 0, fields->reason_size);
	out = fmemopen(fields->reason, fields->reason_size, "w");
	if (!out)
		return;
	print_path(out, node);
	if (key)
		fprintf(out, "%s%s", node->up ? "." : "", key);
	if (key || node->up)
		fputs(": ", out);
	va_start(arguments, format);
	vfprintf(out, format, arguments);
	va_end(arguments);
	fclose(out);
	fields->reason[fields->reason_size - 1] = '\0';
}

/* field - the value, or NULL where it is null or absent (a failure where it is needed). */
static const json_t *field(struct fields *fields, const struct node *node, const char *key, enum need need)
{
	const json_t *value = json_object_get(node->json, key);

	if (fields->failed)
		return NULL;
	if (value && !json_is_null(value))
		return value;
	if (need == NEEDED)
		fields_fail(fields, node, key, value ? "is null" : "is missing");
	return NULL;
}

const char *field_text(struct fields *fields, const struct node *node, const char *key, enum need need)
{
	const json_t *value = field(fields, node, key, need);

	if (!value)
		return NULL;
	if (!json_is_string(value)) {
		fields_fail(fields, node, key, "is not a string");
		return NULL;
	}
	/* The JSON document is freed before the model is used: the pool keeps a copy. */
	return clean_text(fields->pool, pool_text(fields->pool, json_string_value(value), json_string_length(value)));
}

static bool number_of(struct fields *fields, const struct node *node, const char *key, const json_t *value,
	int64_t *number)
{
	if (!json_is_integer(value)) {
		fields_fail(fields, node, key, "is not an integer");
		return false;
	}
	*number = json_integer_value(value);
	if (*number < 0) {
		fields_fail(fields, node, key, "is negative");
		return false;
	}
	return true;
}

int64_t field_number(struct fields *fields, const struct node *node, const char *key, enum need need)
{
	const json_t *value = field(fields, node, key, need);
	int64_t number;

	return value && number_of(fields, node, key, value, &number) ? number : UNKNOWN;
}

bool field_flag(struct fields *fields, const struct node *node, const char *key, enum need need)
{
	const json_t *value = field(fields, node, key, need);

	if (value && !json_is_boolean(value))
		fields_fail(fields, node, key, "is not true or false");
	return value && json_is_true(value);
}

int field_choice(struct fields *fields, const struct node *node, const char *key, enum need need,
	const char *const *names)
{
	const char *text = field_text(fields, node, key, need);
	char word[40];

	if (!text)
		return -1;
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	fields_fail(fields, node, key, "'%s' is not a known value", clean_line(word, sizeof(word), text));
	return -1;
}

bool field_object(struct fields *fields, const struct node *node, const char *key, enum need need, struct node *child)
{
	const json_t *value = field(fields, node, key, need);

	*child = (struct node){.up = node, .key = key, .json = value};
	if (value && !json_is_object(value))
		fields_fail(fields, node, key, "is not an object");
	return value && json_is_object(value);
}

size_t field_array(struct fields *fields, const struct node *node, const char *key, enum need need,
	struct node *child)
{
	const json_t *value = field(fields, node, key, need);

	*child = (struct node){.up = node, .key = key, .json = value};
	if (value && !json_is_array(value))
		fields_fail(fields, node, key, "is not an array");
	return value && !fields->failed ? json_array_size(value) : 0;
}

bool element_object(struct fields *fields, const struct node *array, size_t index, struct node *child)
{
	*child = (struct node){.up = array, .index = index, .json = json_array_get(array->json, index)};
	if (fields->failed)
		return false;
	if (!json_is_object(child->json)) {
		fields_fail(fields, child, NULL, "is not an object");
		return false;
	}
	return true;
}

const char **field_texts(struct fields *fields, const struct node *node, const char *key, enum need need, size_t *count)
{
	struct node array;
	size_t size = field_array(fields, node, key, need, &array);
	const char **texts = pool_take(fields->pool, size, sizeof(*texts));

	*count = 0;
	for (size_t i = 0; i < size; i++) {
		const json_t *value = json_array_get(array.json, i);

		if (!json_is_string(value)) {
			fields_fail(fields, &(struct node){.up = &array, .index = i}, NULL, "is not a string");
			return texts;
		}
		texts[i] = clean_text(fields->pool,
			pool_text(fields->pool, json_string_value(value), json_string_length(value)));
		*count = i + 1;
	}
	return texts;
}

static int compare_keys(const void *a, const void *b)
{
	const struct table_key *left = a, *right = b;

	return left->id < right->id ? -1 : left->id > right->id;
}

void field_table(struct fields *fields, const struct node *root, const char *key, const char *name, size_t size,
	struct table *table)
{
	struct node array, item;

	*table = (struct table){.name = name, .size = size};
	table->count = field_array(fields, root, key, NEEDED, &array);
	table->items = pool_take(fields->pool, table->count, size);
	table->keys = pool_take(fields->pool, table->count, sizeof(*table->keys));
	for (size_t i = 0; i < table->count; i++) {
		if (!element_object(fields, &array, i, &item))
			break;
		table->keys[i] = (struct table_key){field_number(fields, &item, "id", NEEDED), i};
		*(int64_t *)((char *)table->items + i * size) = table->keys[i].id;
	}
	if (fields->failed) {
		table->count = 0;
		return;
	}
	qsort(table->keys, table->count, sizeof(*table->keys), compare_keys);
	for (size_t i = 1; i < table->count; i++)
		if (table->keys[i].id == table->keys[i - 1].id)
			fields_fail(fields, &array, NULL, "id %" PRId64 " occurs twice", table->keys[i].id);
}

static void *find(struct fields *fields, const struct node *node, const char *key, const json_t *value,
	const struct table *table)
{
	struct table_key wanted = {0}, *found;

	if (!number_of(fields, node, key, value, &wanted.id))
		return NULL;
	found = table->count == 0 ? NULL
		: bsearch(&wanted, table->keys, table->count, sizeof(*table->keys), compare_keys);
	if (found)
		return (char *)table->items + found->index * table->size;
	fields_fail(fields, node, key, "there is no %s with id %" PRId64, table->name, wanted.id);
	return NULL;
}

void *field_reference(struct fields *fields, const struct node *node, const char *key, enum need need,
	const struct table *table)
{
	const json_t *value = field(fields, node, key, need);

	return value ? find(fields, node, key, value, table) : NULL;
}

void *field_references(struct fields *fields, const struct node *node, const char *key, enum need need,
	const struct table *table, size_t *count)
{
	struct node array;
	size_t size = field_array(fields, node, key, need, &array);
	void **items = pool_take(fields->pool, size, sizeof(*items));

	*count = 0;
	for (size_t i = 0; i < size && !fields->failed; i++) {
		struct node item = {.up = &array, .index = i};

		items[i] = find(fields, &item, NULL, json_array_get(array.json, i), table);
		if (items[i])
			*count = i + 1;
	}
	return items;
}
