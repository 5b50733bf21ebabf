/* SPDX-License-Identifier: Apache-2.0 */
/* By hand: the format has integers and length-delimited fields only, and a library for it would be larger than all
 * of forkheld. */
#include "export.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "names.h"
#include "text.h"

struct bytes {
	unsigned char *data;
	size_t size, room;
};

struct profile {
	struct report *report;
	struct bytes out;
	struct names texts;             /* the string table: 0 is "" */
	struct names functions;         /* id: index + 1 */
	uint64_t *locations;            /* of each frame of the report; 0: not written yet */
	struct mapping {
		uint64_t id, limit;
		bool named, placed, inlined;
	} *mappings;                    /* of each module of the report */
	uint64_t location_count, mapping_count;
};

static void put_raw(struct bytes *bytes, const void *data, size_t size)
{
	if (bytes->room - bytes->size < size) {
		bytes->room = (bytes->room + size) * 2;
		bytes->data = take_again(bytes->data, bytes->room, 1);
	}
	if (size > 0)
		memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

static void put_varint(struct bytes *bytes, uint64_t value)
{
	unsigned char byte;

	do {
		byte = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		put_raw(bytes, &byte, 1);
		value >>= 7;
	} while (value > 0);
}

/* put_number - a field of an integer type; 0 is the default and left out. */
static void put_number(struct bytes *bytes, unsigned field, uint64_t value)
{
	if (value == 0)
		return;
	put_varint(bytes, field << 3);
	put_varint(bytes, value);
}

static void put_bytes(struct bytes *bytes, unsigned field, const void *data, size_t size)
{
	put_varint(bytes, field << 3 | 2);
	put_varint(bytes, size);
	put_raw(bytes, data, size);
}

/* put_message - @message as a field, and its memory given back. */
static void put_message(struct bytes *bytes, unsigned field, struct bytes *message)
{
	put_bytes(bytes, field, message->data, message->size);
	free(message->data);
	*message = (struct bytes){0};
}

static uint64_t text_id(struct profile *profile, const char *text)
{
	return text ? names_add(&profile->texts, text, NULL, 0) : 0;
}

static void put_value_type(struct profile *profile, unsigned field, const char *type, const char *unit)
{
	struct bytes message = {0};

	put_number(&message, 1, text_id(profile, type));
	put_number(&message, 2, text_id(profile, unit));
	put_message(&profile->out, field, &message);
}

static uint64_t address_of(const struct frame *frame)
{
	uint64_t base = frame->module && frame->module->base != UNKNOWN ? (uint64_t)frame->module->base : 0;

	return frame->native && frame->offset != UNKNOWN ? base + (uint64_t)frame->offset : 0;
}

static struct mapping *mapping_of(struct profile *profile, const struct frame *frame)
{
	struct mapping *mapping;

	if (!frame->native || !frame->module)
		return NULL;
	mapping = &profile->mappings[frame->module - profile->report->modules];
	if (mapping->id == 0)
		mapping->id = ++profile->mapping_count;
	if (address_of(frame) >= mapping->limit)
		mapping->limit = address_of(frame) + 1;
	return mapping;
}

static void put_line(struct profile *profile, struct bytes *location, const char *function, const struct place *place)
{
	struct bytes message = {0};

	put_number(&message, 1, names_add(&profile->functions, function, place->file, 0) + 1);
	put_number(&message, 2, place->line > 0 ? (uint64_t)place->line : 0);
	put_message(location, 4, &message);
}

/* put_location - the calls of one frame, which begin with @call. Return: how many they are. */
static size_t put_location(struct profile *profile, const struct call *call, size_t most, uint64_t *id)
{
	uint64_t *known = &profile->locations[call->frame - profile->report->frames];
	struct mapping *mapping = mapping_of(profile, call->frame);
	struct bytes message = {0};
	size_t count = 1;

	while (count < most && call[count - 1].inlined)
		count++;
	if (*known == 0) {
		*known = ++profile->location_count;
		put_number(&message, 1, *known);
		if (mapping) {
			put_number(&message, 2, mapping->id);
			put_number(&message, 3, address_of(call->frame));
			mapping->named |= strcmp(call[0].function, "?") != 0;
			mapping->placed |= call[0].place.file != NULL;
			mapping->inlined |= count > 1;
		}
		for (size_t i = 0; i < count; i++)
			put_line(profile, &message, export_function(profile->report, &call[i]), &call[i].place);
		put_message(&profile->out, 4, &message);
	}
	*id = *known;
	return count;
}

/* put_unknown - a location that is nothing but its name. */
static uint64_t put_unknown(struct profile *profile, const char *name)
{
	struct bytes message = {0};
	uint64_t id = ++profile->location_count;

	put_number(&message, 1, id);
	put_line(profile, &message, name, &(struct place){.line = UNKNOWN});
	put_message(&profile->out, 4, &message);
	return id;
}

static void put_sample(struct profile *profile, const struct sample *sample)
{
	struct bytes message = {0}, ids = {0}, values = {0}, label = {0};
	uint64_t id;

	if (sample->unknown)
		put_varint(&ids, put_unknown(profile, sample->unknown));
	for (size_t i = 0; i < sample->calls.count;) {
		i += put_location(profile, &sample->calls.list[i], sample->calls.count - i, &id);
		put_varint(&ids, id);
	}
	put_varint(&values, (uint64_t)sample->count);
	put_varint(&values, (uint64_t)sample->bytes);
	put_message(&message, 1, &ids);
	put_message(&message, 2, &values);
	if (sample->allocator) {
		put_number(&label, 1, text_id(profile, "allocator"));
		put_number(&label, 2, text_id(profile, sample->allocator));
		put_message(&message, 3, &label);
	}
	put_message(&profile->out, 2, &message);
}

/* put_mappings - a report does not say where a module ends: as far as its frames reach. */
static void put_mappings(struct profile *profile)
{
	for (uint64_t id = 1; id <= profile->mapping_count; id++) {
		struct bytes message = {0};
		uint64_t start, limit;
		size_t i = 0;

		while (profile->mappings[i].id != id)
			i++;
		start = profile->report->modules[i].base != UNKNOWN ? (uint64_t)profile->report->modules[i].base : 0;
		limit = profile->mappings[i].limit > start ? profile->mappings[i].limit : start + 1;
		put_number(&message, 1, id);
		put_number(&message, 2, start);
		put_number(&message, 3, limit);
		put_number(&message, 5, text_id(profile, profile->report->modules[i].path));
		put_number(&message, 6, text_id(profile, profile->report->modules[i].build_id));
		put_number(&message, 7, profile->mappings[i].named);
		put_number(&message, 8, profile->mappings[i].placed);
		put_number(&message, 9, profile->mappings[i].placed);
		put_number(&message, 10, profile->mappings[i].inlined);
		put_message(&profile->out, 3, &message);
	}
}

static void put_functions(struct profile *profile)
{
	for (size_t i = 0; i < profile->functions.count; i++) {
		const struct name *name = &profile->functions.list[i];
		struct bytes message = {0};

		put_number(&message, 1, i + 1);
		/* No system name: pprof takes a name that equals it for C++ and cuts <module> down to nothing. */
		put_number(&message, 2, text_id(profile, name->function));
		put_number(&message, 4, text_id(profile, name->file));
		put_message(&profile->out, 5, &message);
	}
}

static uint64_t nanoseconds(const char *time)
{
	struct tm broken = {0};
	time_t seconds;

	if (!time || !strptime(time, "%Y-%m-%dT%H:%M:%S", &broken))
		return 0;
	seconds = timegm(&broken);
	return seconds > 0 && seconds < INT64_MAX / 1000000000 ? (uint64_t)seconds * 1000000000 : 0;
}

static void put_head(struct profile *profile)
{
	const struct report *report = profile->report;
	const char *program = report->exe ? report->exe : "unknown program";

	put_value_type(profile, 1, "inuse_objects", "count");
	put_value_type(profile, 1, "inuse_space", "bytes");
	put_number(&profile->out, 9, nanoseconds(report->time));
	put_value_type(profile, 11, "space", "bytes");
	put_number(&profile->out, 12, report->allocations.sample > 0 ? (uint64_t)report->allocations.sample : 1);
	put_number(&profile->out, 13, text_id(profile, pool_print(&profile->report->pool,
		"forkheld " FORKHELD_VERSION ": %s, pid %lld", program, (long long)report->pid)));
	if (report->allocations.sample > 0)
		put_number(&profile->out, 13, text_id(profile, "estimated from a sample of the allocations"));
	put_number(&profile->out, 14, text_id(profile, "inuse_space"));
}

/* put_program_first - viewers take the first mapping for the program itself. */
static void put_program_first(struct profile *profile)
{
	const struct report *report = profile->report;

	for (size_t i = 0; i < report->module_count && report->exe && profile->mapping_count == 0; i++)
		if (report->modules[i].path && strcmp(report->modules[i].path, report->exe) == 0)
			profile->mappings[i].id = ++profile->mapping_count;
}

void export_pprof(FILE *out, struct report *report, struct samples samples)
{
	struct profile profile = {.report = report};

	profile.locations = take(report->frame_count, sizeof(*profile.locations));
	profile.mappings = take(report->module_count, sizeof(*profile.mappings));
	text_id(&profile, "");
	put_head(&profile);
	put_program_first(&profile);
	for (size_t i = 0; i < samples.count; i++)
		put_sample(&profile, &samples.list[i]);
	put_mappings(&profile);
	put_functions(&profile);
	for (size_t i = 0; i < profile.texts.count; i++)
		put_bytes(&profile.out, 6, profile.texts.list[i].function, strlen(profile.texts.list[i].function));
	fwrite(profile.out.data, 1, profile.out.size, out);
	free(profile.out.data);
	free(profile.locations);
	free(profile.mappings);
	names_finish(&profile.texts);
	names_finish(&profile.functions);
}
