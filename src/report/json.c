/* SPDX-License-Identifier: Apache-2.0 */
#include "report/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/os.h"


json_t *json_text(const char *text)
{
	if (!text)
		return json_null();
	json_t *value = json_string(text);
	if (value)
		return value;
	char *escaped = malloc(4 * strlen(text) + 1), *at = escaped;
	if (!escaped)
		return json_null();
	for (; *text; text++)
		at += sprintf(at, (unsigned char)*text < 0x80 ? "%c" : "\\x%02x", (unsigned char)*text);
	value = json_string(escaped);
	free(escaped);
	return value;
}

json_t *json_number(uint64_t number)
{
	return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

json_t *json_id(uint32_t id)
{
	return id == UINT32_MAX ? json_null() : json_integer(id);
}

json_t *json_time(uint64_t time_ns)
{
	char text[OS_UTC_ROOM];
	if (time_ns == 0)
		return json_null();
	os_utc(time_ns, text);
	return json_string(text);
}

json_t *json_bytes(const uint8_t *bytes, unsigned count)
{
	char text[2 * 64 + 1] = "";
	for (unsigned i = 0; i < count && i < 64; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	return count ? json_string(text) : json_null();
}

