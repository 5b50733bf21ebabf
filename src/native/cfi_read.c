/* SPDX-License-Identifier: Apache-2.0 */
#include "native/cfi_read.h"
#include <string.h>

uint64_t cfi_fixed(struct cfi_reader *reader, unsigned size)
{
	uint64_t value = 0;

	if ((size_t)(reader->end - reader->at) < size) {
		reader->bad = true;
		reader->at = reader->end;
		return 0;
	}
	memcpy(&value, reader->at, size); /* little endian, as the architectures here are */
	reader->at += size;
	return value;
}

static uint64_t leb(struct cfi_reader *reader, unsigned *bits)
{
	uint64_t value = 0, byte;

	*bits = 0;
	do {
		byte = cfi_byte(reader);
		if (*bits < 64)
			value |= (byte & 0x7f) << *bits;
		*bits += 7;
	} while (byte & 0x80);
	if (*bits < 64 && byte & 0x40)
		*bits |= 0x80; /* for sleb: the sign is to be extended */
	return value;
}

uint64_t cfi_uleb_long(struct cfi_reader *reader)
{
	unsigned bits;

	return leb(reader, &bits);
}

int64_t cfi_sleb(struct cfi_reader *reader)
{
	unsigned bits;
	uint64_t value = leb(reader, &bits);

	if (bits & 0x80)
		value |= ~UINT64_C(0) << (bits & 0x7f);
	return (int64_t)value;
}

struct cfi_reader cfi_block(struct cfi_reader *reader)
{
	uint64_t size = cfi_uleb(reader);
	struct cfi_reader block = { reader->at, reader->at, false };

	if (size > (uint64_t)(reader->end - reader->at)) {
		reader->bad = true;
		reader->at = reader->end;
		return block;
	}
	block.end = reader->at += size;
	return block;
}

enum { ABSOLUTE = 0x00, RELATIVE = 0x10, APPLICATION = 0x70, INDIRECT = 0x80, FORMAT = 0x0f, OMITTED = 0xff };

/* number - the encoding's format alone. */
static uint64_t number(struct cfi_reader *reader, uint8_t encoding)
{
	switch (encoding & FORMAT) {
	case 0x00: /* absptr */
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		return cfi_fixed(reader, 8);
	case 0x01:
		return cfi_uleb(reader);
	case 0x02:
		return cfi_fixed(reader, 2);
	case 0x03:
		return cfi_fixed(reader, 4);
	case 0x09:
		return (uint64_t)cfi_sleb(reader);
	case 0x0a:
		return (uint64_t)(int16_t)cfi_fixed(reader, 2);
	case 0x0b:
		return (uint64_t)(int32_t)cfi_fixed(reader, 4);
	default:
		reader->bad = true;
		return 0;
	}
}

uintptr_t cfi_encoded(struct cfi_reader *reader, uint8_t encoding)
{
	uintptr_t here = (uintptr_t)reader->at;
	uint64_t value = number(reader, encoding);

	if ((encoding & APPLICATION) == RELATIVE)
		value += here;
	else if ((encoding & APPLICATION) != ABSOLUTE)
		reader->bad = true;
	if (encoding & INDIRECT)
		reader->bad = true;
	return value;
}

static bool inside(const struct cfi_image *image, uintptr_t address, size_t size)
{
	return address >= image->start && address <= image->end && image->end - address >= size;
}

/* record - the piece of .eh_frame that begins at @address, without its length. */
static bool record(const struct cfi_image *image, uintptr_t address, struct cfi_reader *reader)
{
	uint32_t length;

	if (!inside(image, address, sizeof(length)))
		return false;
	memcpy(&length, (const void *)address, sizeof(length));
	address += sizeof(length);
	/* 0 ends the section; all ones would announce a 64-bit length, which nobody writes here. */
	if (length == 0 || length == UINT32_MAX || !inside(image, address, length))
		return false;
	reader->at = (const uint8_t *)address;
	reader->end = reader->at + length;
	reader->bad = false;
	return true;
}

/* augmentation - the letters of @text and what stands for them. Return: false if one is unknown. */
static bool augmentation(struct cfi_entry *entry, const char *text, struct cfi_reader *reader)
{
	struct cfi_reader data;

	if (!*text)
		return true;
	if (*text != 'z')
		return false;
	entry->augmented = true;
	data = cfi_block(reader);
	while (*++text) {
		uint8_t encoding;

		switch (*text) {
		case 'R':
			entry->encoding = cfi_byte(&data);
			break;
		case 'P':
			encoding = cfi_byte(&data);
			number(&data, encoding);
			break;
		case 'L':
			cfi_byte(&data);
			break;
		case 'S':
			entry->signal = true;
			break;
		case 'B': /* aarch64: signed with the other key */
			break;
		default:
			return false;
		}
	}
	return !data.bad;
}

static bool common_part(const struct cfi_image *image, uintptr_t address, struct cfi_entry *entry)
{
	struct cfi_reader reader;
	const char *text;
	uint64_t version;

	if (!record(image, address, &reader) || cfi_fixed(&reader, 4) != 0)
		return false;
	version = cfi_byte(&reader);
	text = (const char *)reader.at;
	while (cfi_byte(&reader))
		;
	if (reader.bad || (version != 1 && version != 3))
		return false;
	entry->code_align = cfi_uleb(&reader);
	entry->data_align = cfi_sleb(&reader);
	entry->ra = version == 1 ? cfi_byte(&reader) : cfi_uleb(&reader);
	if (!augmentation(entry, text, &reader) || reader.bad)
		return false;
	entry->common = reader;
	return true;
}

static bool read_entry(const struct cfi_image *image, uintptr_t address, struct cfi_entry *entry)
{
	struct cfi_reader reader;
	uintptr_t here;
	uint64_t back;

	memset(entry, 0, sizeof(*entry));
	if (!record(image, address, &reader))
		return false;
	here = (uintptr_t)reader.at;
	back = cfi_fixed(&reader, 4);
	if (back == 0 || !common_part(image, here - back, entry))
		return false;
	entry->start = cfi_encoded(&reader, entry->encoding);
	entry->size = number(&reader, entry->encoding);
	if (entry->augmented)
		cfi_block(&reader);
	entry->own = reader;
	return !reader.bad;
}

/* What .eh_frame_hdr begins with when it has the usual search table; the linkers write no other. */
struct header {
	uint8_t version, frame_encoding, count_encoding, table_encoding;
	int32_t frame;
	uint32_t count;
	struct {
		int32_t start, entry; /* from the header on */
	} table[];
};
#define COUNT_U4 0x03
#define TABLE_S4_FROM_HEADER 0x3b
#define FRAME_S4 0x0b
#define FRAME_U4 0x03

bool cfi_find(const struct cfi_image *image, uintptr_t pc, struct cfi_entry *entry)
{
	const struct header *header = (const void *)image->header;
	uint32_t low = 0, high;
	int64_t wanted = (int64_t)(pc - image->header);

	if (!inside(image, image->header, sizeof(*header)) || header->version != 1 || header->count_encoding != COUNT_U4 ||
	    header->table_encoding != TABLE_S4_FROM_HEADER ||
	    ((header->frame_encoding & FORMAT) != FRAME_S4 && (header->frame_encoding & FORMAT) != FRAME_U4) ||
	    !inside(image, image->header + sizeof(*header), header->count * sizeof(header->table[0])))
		return false;
	high = header->count; /* the last that begins at @pc or before: below @high, from @low on */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (header->table[middle].start <= wanted)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || !read_entry(image, image->header + (uintptr_t)(intptr_t)header->table[low - 1].entry, entry))
		return false;
	return pc >= entry->start && pc - entry->start < entry->size;
}
