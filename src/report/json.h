/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - jansson with the conventions of the report: text is escaped, never dropped; absent things are null. */
#ifndef REPORT_JSON_H
#define REPORT_JSON_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* json_text - NULL gives null; bytes that are not UTF-8 become \xNN. */
json_t *json_text(const char *text);
/* json_number - an integer; beyond 63 bits its maximum. */
json_t *json_number(uint64_t number);
/* json_id - null for UINT32_MAX. */
json_t *json_id(uint32_t id);
/* json_time - CLOCK_REALTIME nanoseconds as RFC 3339 in UTC; 0 gives null. */
json_t *json_time(uint64_t time_ns);
/* json_bytes - bytes as lower-case hex; null for none. */
json_t *json_bytes(const uint8_t *bytes, unsigned count);
/* json_set, json_push - take the reference to @value over, also when they fail. */
static inline void json_set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new_nocheck(object, key, value);
}
static inline void json_push(json_t *array, json_t *value)
{
	json_array_append_new(array, value);
}

/* A report on its way out: sections are written as they are made, so that a hundred thousand registrations never
 * stand in memory as a tree. One element a line. */
struct json_out;
/* json_out_new - start writing to @fd. From here to json_out_finish jansson's memory is recycled, all in one go.
 * NULL: no memory. */
struct json_out *json_out_new(int fd);
/* json_out_member - "@key": @value; takes the reference over. */
void json_out_member(struct json_out *out, const char *key, json_t *value);
/* json_out_array - "@key": [@element(context, 0), ... @element(context, count - 1)], each written and freed in turn. */
void json_out_array(struct json_out *out, const char *key, uint32_t count,
		    json_t *(*element)(void *context, uint32_t index), void *context);
/* json_out_finish - the end; frees @out. Return: 0 or the first error. */
int json_out_finish(struct json_out *out);

#endif
