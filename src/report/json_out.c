/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "report/json.h"

#define BUFFER_SIZE (64u << 10)
#define CHUNK_SIZE (256u << 10)
/* jansson's nodes and tables; larger ones go to malloc. */
#define CLASS_BYTES 32u
#define CLASSES 32u

struct json_out {
	int fd, error;
	bool first;
	size_t used;
	char buffer[BUFFER_SIZE];
};

/* A freed node is used again at once, still in the cache: in the frozen copy free() does nothing. Only one thread
 * writes a report, and each report starts anew. */
struct block {
	size_t class;  /* of the block, before what is given out; CLASSES: from malloc */
	struct block *next;
};
static struct block *recycled[CLASSES];
static char *chunk_next, *chunk_end;

static void *take_block(size_t size)
{
	size_t class = size / CLASS_BYTES;
	size_t room = (class + 1) * CLASS_BYTES + sizeof(struct block);
	struct block *block;
	if (class >= CLASSES) {
		block = malloc(size + sizeof *block);
		class = CLASSES;
	} else if (recycled[class]) {
		block = recycled[class];
		recycled[class] = block->next;
	} else {
		if ((size_t)(chunk_end - chunk_next) < room) {
			chunk_next = malloc(CHUNK_SIZE);
			chunk_end = chunk_next ? chunk_next + CHUNK_SIZE : NULL;
		}
		block = chunk_next ? (struct block *)chunk_next : NULL;
		chunk_next += block ? room : 0;
	}
	if (!block)
		return NULL;
	block->class = class;
	return block + 1;
}

static void give_block(void *memory)
{
	struct block *block = memory ? (struct block *)memory - 1 : NULL;
	if (!block)
		return;
	if (block->class == CLASSES) {
		free(block);
		return;
	}
	block->next = recycled[block->class];
	recycled[block->class] = block;
}

static void flush(struct json_out *out)
{
	if (out->error == 0)
		out->error = os_write_all(out->fd, out->buffer, out->used);
	out->used = 0;
}

static int put(const char *text, size_t size, void *out_pointer)
{
	struct json_out *out = out_pointer;
	while (size > 0 && out->error == 0) {
		size_t part = BUFFER_SIZE - out->used < size ? BUFFER_SIZE - out->used : size;
		memcpy(out->buffer + out->used, text, part);
		out->used += part;
		text += part;
		size -= part;
		if (out->used == BUFFER_SIZE)
			flush(out);
	}
	return out->error;
}

static void put_text(struct json_out *out, const char *text)
{
	put(text, strlen(text), out);
}

static void put_value(struct json_out *out, json_t *value)
{
	if (!value || json_dump_callback(value, put, out, JSON_ENCODE_ANY | JSON_COMPACT) < 0)
		out->error = out->error ? out->error : -ENOMEM;
	json_decref(value);
}

static void put_key(struct json_out *out, const char *key)
{
	put_text(out, out->first ? "{\n\"" : ",\n\"");
	put_text(out, key);
	put_text(out, "\": ");
	out->first = false;
}

struct json_out *json_out_new(int fd)
{
	memset(recycled, 0, sizeof recycled);
	chunk_next = chunk_end = NULL;
	json_set_alloc_funcs(take_block, give_block);
	struct json_out *out = calloc(1, sizeof *out);
	if (out) {
		out->fd = fd;
		out->first = true;
	}
	return out;
}

void json_out_member(struct json_out *out, const char *key, json_t *value)
{
	put_key(out, key);
	put_value(out, value);
}

void json_out_array(struct json_out *out, const char *key, uint32_t count,
		    json_t *(*element)(void *context, uint32_t index), void *context)
{
	put_key(out, key);
	put_text(out, "[");
	for (uint32_t i = 0; i < count && out->error == 0; i++) {
		put_text(out, i ? ",\n " : "\n ");
		put_value(out, element(context, i));
	}
	put_text(out, "]");
}

int json_out_finish(struct json_out *out)
{
	put_text(out, "\n}\n");
	flush(out);
	int error = out->error;
	free(out);
	return error;
}
