/* SPDX-License-Identifier: Apache-2.0 */
#include "clean.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The longest piece is \u202e or four bytes of UTF-8. */
#define PIECE_SIZE 8

/* utf8_take - length of the sequence at @text (1-4) with its code point in *@point, or 0 if it is not UTF-8. */
static size_t utf8_take(const unsigned char *text, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length;

	if (text[0] < 0x80) {
		*point = text[0];
		return 1;
	}
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		length = 2;
	else if ((text[0] & 0xf0) == 0xe0)
		length = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		length = 4;
	else
		return 0;
	*point = text[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (text[i] & 0x3f);
	}
	if (*point < least[length] || *point > 0x10ffff || (*point >= 0xd800 && *point <= 0xdfff))
		return 0;
	return length;
}

static bool dangerous(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x2028 || point == 0x2029 ||
		point == 0x200e || point == 0x200f || point == 0x061c || (point >= 0x202a && point <= 0x202e) ||
		(point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

/* piece_take - write what stands for the character at @text; return how many bytes of @text it was. */
static size_t piece_take(const char *text, char piece[PIECE_SIZE])
{
	uint32_t point;
	size_t length = utf8_take((const unsigned char *)text, &point);

	if (length == 0) {
		snprintf(piece, PIECE_SIZE, "\\x%02x", (unsigned char)text[0]);
		return 1;
	}
	if (!dangerous(point)) {
		memcpy(piece, text, length);
		piece[length] = '\0';
	} else if (point == '\n') {
		strcpy(piece, "\\n");
	} else if (point == '\t') {
		strcpy(piece, "\\t");
	} else if (point < 0x80) {
		snprintf(piece, PIECE_SIZE, "\\x%02x", point);
	} else {
		snprintf(piece, PIECE_SIZE, "\\u%04x", point & 0xffff);
	}
	return length;
}

const char *clean_text(struct pool *pool, const char *text)
{
	char piece[PIECE_SIZE], *copy, *end;
	size_t length = 0;
	bool same = true;

	for (const char *at = text; *at;) {
		size_t step = piece_take(at, piece), size = strlen(piece);

		same = same && size == step && memcmp(piece, at, size) == 0;
		at += step;
		length += size;
	}
	if (same)
		return text;
	end = copy = pool_take(pool, length + 1, 1);
	for (const char *at = text; *at;) {
		at += piece_take(at, piece);
		end = stpcpy(end, piece);
	}
	return copy;
}

char *clean_line(char *buffer, size_t size, const char *text)
{
	char piece[PIECE_SIZE];
	size_t used = 0;

	buffer[0] = '\0';
	while (*text) {
		text += piece_take(text, piece);
		if (used + strlen(piece) + sizeof("...") > size) {
			strcpy(buffer + used, "...");
			break;
		}
		strcpy(buffer + used, piece);
		used += strlen(piece);
	}
	return buffer;
}
