/* SPDX-License-Identifier: Apache-2.0 */
/* cfi_read.h - .eh_frame_hdr and .eh_frame as data: numbers, encodings, and the entry that holds an address. cfi.c's
 * own. */
#ifndef NATIVE_CFI_READ_H
#define NATIVE_CFI_READ_H
#include <stdbool.h>
#include <stdint.h>
#include "native/cfi.h"

/* Reads never pass @end: a read that would yields 0 and makes the reader bad. */
struct cfi_reader {
	const uint8_t *at, *end;
	bool bad;
};

/* One function's entry (FDE) and what it has in common with others (CIE). */
struct cfi_entry {
	uintptr_t start, size;
	struct cfi_reader common, own;  /* instructions */
	uint64_t code_align;
	int64_t data_align;
	uint64_t ra;                    /* number of the return address's register */
	uint8_t encoding;               /* of addresses */
	bool signal, augmented;
};

/* cfi_find - the entry whose range holds @pc. Return: false if there is none that can be read. */
bool cfi_find(const struct cfi_image *image, uintptr_t pc, struct cfi_entry *entry);

/* All move the reader on. @size: 1, 2, 4 or 8. cfi_block - a length and as many bytes. */
uint64_t cfi_fixed(struct cfi_reader *reader, unsigned size);

/* cfi_byte - of one byte: most are read so. */
static inline uint8_t cfi_byte(struct cfi_reader *reader)
{
	if (reader->at < reader->end)
		return *reader->at++;
	reader->bad = true;
	return 0;
}
/* cfi_uleb_long - of more than one byte, or none. */
uint64_t cfi_uleb_long(struct cfi_reader *reader);
static inline uint64_t cfi_uleb(struct cfi_reader *reader)
{
	if (reader->at < reader->end && *reader->at < 0x80)
		return *reader->at++;
	return cfi_uleb_long(reader);
}
int64_t cfi_sleb(struct cfi_reader *reader);
struct cfi_reader cfi_block(struct cfi_reader *reader);

/* cfi_encoded - an address as DW_EH_PE encodes it: absolute or relative to where it stands; the others are bad. */
uintptr_t cfi_encoded(struct cfi_reader *reader, uint8_t encoding);

#endif
