/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "clean.h"
#include "live.h"
#include "load.h"
#include "symbolize.h"
#include "text.h"
#include "trace.h"
#include "verbs.h"
#include "why.h"
#include "why_block.h"

static const char usage[] =
	"usage: forkheld why [-n N] [--no-symbols] REPORT PATTERN\n\n"
	"One object, type, registration or block: who holds it, and what would free it.\n\n"
	"PATTERN is one of\n"
	"  #12           the object with this id\n"
	"  r3            the registration with this id\n"
	"  b7            the block with this id\n"
	"  FINGERPRINT   a finding: its trace, registrations, objects and blocks\n"
	"  GLOB          objects by type or module.type; registrations by the name, module or symbol of a\n"
	"                callable, by the function, file or file:line where they were made; blocks by symbol or\n"
	"                module of their slot, by the function, file or file:line that allocated them\n\n"
	"  -n, --number N    print at most N objects, N registrations and N blocks (default 20)\n"
	"      --no-symbols  open no file for the names and lines of native code\n"
	"      --help        this text\n\n"
	"Exit status: 0 found; 1 not found; 2 wrong command line; 3 a report that cannot be read.\n";

static const struct option options[] = {
	{"number", required_argument, NULL, 'n'},
	{"no-symbols", no_argument, NULL, 'N'},
	HELP_OPTION,
	{0},
};

#define DEFAULT_SHOWN 20

bool why_glob(const char *pattern, const char *text)
{
	return text && fnmatch(pattern, text, 0) == 0;
}

bool why_glob_path(const char *pattern, const char *path)
{
	while (path) {
		if (why_glob(pattern, path))
			return true;
		path = strchr(path, '/');
		path = path ? path + 1 : NULL;
	}
	return false;
}

static bool glob_frame(struct pool *pool, const char *pattern, const struct frame *frame)
{
	if (!frame)
		return false;
	if (frame->native)
		return why_glob(pattern, frame->symbol) || (frame->module && why_glob_path(pattern, frame->module->path));
	return why_glob(pattern, frame->place.function) || why_glob_path(pattern, frame->place.file) ||
		why_glob_path(pattern, text_place(pool, &frame->place));
}

static bool glob_callable(struct pool *pool, const char *pattern, const struct callable *callable)
{
	if (why_glob(pattern, callable->qualname) || why_glob(pattern, callable->symbol) ||
	    why_glob(pattern, callable->module_name))
		return true;
	if (callable->module && why_glob_path(pattern, callable->module->path))
		return true;
	return callable->module_name && callable->qualname &&
		why_glob(pattern, pool_print(pool, "%s.%s", callable->module_name, callable->qualname));
}

static bool matches_registration(struct pool *pool, const char *pattern, const struct registration *registration)
{
	for (size_t i = 0; i < registration->callable_count; i++)
		if (glob_callable(pool, pattern, &registration->callables[i]))
			return true;
	return glob_frame(pool, pattern, text_frame(registration->stack)) ||
		glob_frame(pool, pattern, text_frame(registration->native_stack));
}

static bool id_of(const char *pattern, char letter, int64_t *id)
{
	char *end;

	if (pattern[0] != letter || pattern[1] < '0' || pattern[1] > '9')
		return false;
	*id = strtoll(pattern + 1, &end, 10);
	return *end == '\0';
}

/* What a pattern names: a mark for each item of the report. */
struct found {
	bool *objects, *registrations, *blocks;
	const struct finding *finding;
};

static bool find_finding(const struct report *report, const char *pattern, struct found *marks)
{
	const struct finding *finding = NULL;

	for (size_t i = 0; i < report->finding_count && !finding; i++)
		if (strcmp(report->findings[i].fingerprint, pattern) == 0)
			finding = &report->findings[i];
	marks->finding = finding;
	if (!finding)
		return false;
	for (size_t i = 0; i < finding->object_count; i++)
		marks->objects[finding->objects[i] - report->objects] = true;
	for (size_t i = 0; i < finding->registration_count; i++)
		marks->registrations[finding->registrations[i] - report->registrations] = true;
	for (size_t i = 0; i < finding->block_count; i++)
		marks->blocks[finding->blocks[i] - report->blocks] = true;
	return true;
}

/* find - set the marks. Return: how many items there are. */
static size_t find(struct report *report, const char *pattern, struct found *marks)
{
	bool *objects = marks->objects, *registrations = marks->registrations, *blocks = marks->blocks;
	size_t found = 0;
	int64_t id;
	/* Whoever allocated a block may have to be looked for in files. */
	bool other = id_of(pattern, '#', &id) || id_of(pattern, 'r', &id);

	if (find_finding(report, pattern, marks))
		return 1;
	for (size_t i = 0; i < report->object_count; i++) {
		objects[i] = id_of(pattern, '#', &id) ? report->objects[i].id == id
			: why_glob(pattern, report->objects[i].type) ||
			  why_glob(pattern, text_type(&report->pool, &report->objects[i]));
		found += objects[i];
	}
	for (size_t i = 0; i < report->registration_count; i++) {
		registrations[i] = id_of(pattern, 'r', &id) ? report->registrations[i].id == id
			: matches_registration(&report->pool, pattern, &report->registrations[i]);
		found += registrations[i];
	}
	for (size_t i = 0; i < report->block_count && !other; i++) {
		blocks[i] = id_of(pattern, 'b', &id) ? report->blocks[i].id == id
			: why_block_matches(report, pattern, &report->blocks[i]);
		found += blocks[i];
	}
	return found;
}

static void put_holder(FILE *out, struct report *report, const struct holder *holder)
{
	fprintf(out, "     %-8s %s%-18s%s %s", holder->own ? "own" : "outside", holder->own ? "" : style.strong,
		holder->kind, holder->own ? "" : style.off, text_path(&report->pool, holder, 0));
	if (holder->registration)
		fprintf(out, "  (r%" PRId64 ")", holder->registration->id);
	fputc('\n', out);
}

static void put_freed_by(FILE *out, const struct object *object)
{
	size_t others = 0;

	for (size_t i = 0; i < object->holder_count; i++)
		others += !object->holders[i].own && strcmp(object->holders[i].kind, "fork-registration") != 0;
	fprintf(out, "  %-12s ", "freed by");
	switch (object->verdict) {
	case VERDICT_FORK_ONLY:
		fputs(object->registration_count > 1 ? "removing all of its fork registrations together\n"
			: object->registration_count == 1 ? "removing its fork registration\n"
			: "removing the fork registrations that its paths begin with\n", out);
		break;
	case VERDICT_JOINT:
		fputs("removing its fork registrations and taking it out of the containers above, both\n", out);
		break;
	case VERDICT_IN_USE:
		fprintf(out, "no removal of a fork registration: it is in use%s\n",
			others ? " by the holders marked outside" : "");
	}
}

static void put_registration_ids(FILE *out, const struct object *object)
{
	if (object->registration_count == 0)
		return;
	fprintf(out, "  %-12s", "registered as");
	for (size_t i = 0; i < object->registration_count && i < DEFAULT_SHOWN; i++)
		fprintf(out, " r%" PRId64, object->registrations[i]->id);
	if (object->registration_count > DEFAULT_SHOWN)
		fprintf(out, " and %zu more", object->registration_count - DEFAULT_SHOWN);
	fputc('\n', out);
}

void why_object(FILE *out, struct report *report, const struct object *object)
{
	char size[WORD_SIZE], retained[WORD_SIZE], count[WORD_SIZE];
	char old[AGE_SIZE];
	size_t own = 0;

	fprintf(out, "%sobject #%" PRId64 "%s  %s  %s", style.strong, object->id, style.off,
		text_type(&report->pool, object), verdict_names[object->verdict]);
	fprintf(out, "%s%s%s\n", object->plumbing ? "  (plumbing of a registration)" : "",
		object->address ? "  at " : "", object->address ? object->address : "");
	fprintf(out, "  %-12s %s, retains %s in %s", "size", text_size(size, object->bytes),
		text_size(retained, object->retained_bytes), text_count(count, object->retained_objects, "object"));
	if (object->native_bytes > 0)
		fprintf(out, ", %s native", text_size(size, object->native_bytes));
	if (object->block_bytes != UNKNOWN)
		fprintf(out, ", occupies %s", text_size(size, object->block_bytes));
	fputc('\n', out);
	live_stack(out, report, "allocated", object->allocated, false);
	if (object->allocated && object->allocated_approximate)
		fprintf(out, "  %-12s objects of this type reuse memory: the stack may be an earlier one's\n", "");
	if (*live_age(old, UNKNOWN, object->age_ns))
		fprintf(out, "  %-12s %s\n", "age", old);
	for (size_t i = 0; i < object->holder_count; i++)
		own += object->holders[i].own;
	fprintf(out, "  %-12s %s: %zu from outside, %zu of its own circle", "held by",
		text_count(count, sum_of((int64_t)object->holder_count, object->holders_dropped), "direct reference"),
		object->holder_count - own, own);
	if (object->holders_dropped > 0)
		fprintf(out, ", %" PRId64 " not listed", object->holders_dropped);
	fputc('\n', out);
	for (int scope = 0; scope <= 1; scope++)
		for (size_t i = 0; i < object->holder_count; i++)
			if (object->holders[i].own == (scope == 1))
				put_holder(out, report, &object->holders[i]);
	put_registration_ids(out, object);
	put_freed_by(out, object);
}

static void put_stack(FILE *out, struct report *report, const char *label, const struct stack *stack)
{
	struct calls calls = calls_of(report, stack);

	for (size_t i = 0; i < calls.count; i++)
		fprintf(out, "  %-12s %s\n", i == 0 ? label : "", calls_line(report, &calls.list[i]));
}

static void put_flags(FILE *out, const struct registration *registration)
{
	fputs(registration->native ? "  native" : "  python", out);
	if (registration->strength)
		fprintf(out, ", %s", registration->strength);
	if (registration->inherited)
		fputs(", inherited from the parent process", out);
	if (registration->baseline)
		fputs(", before the mark", out);
	if (registration->removed)
		fprintf(out, ", removed by %s", registration->removed);
	fputc('\n', out);
}

static void put_owner(FILE *out, struct report *report, const struct registration *registration,
	const struct object *owner)
{
	bool most = owner == registration->owner && registration->owner_count > 1;

	fprintf(out, "  %-12s #%" PRId64 " %s  %s%s\n", "owner", owner->id, text_type(&report->pool, owner),
		verdict_names[owner->verdict], most ? " (retains most)" : "");
}

void why_registration(FILE *out, struct report *report, const struct registration *registration)
{
	char objects[WORD_SIZE], size[WORD_SIZE];

	fprintf(out, "%sregistration r%" PRId64 "%s  %s", style.strong, registration->id, style.off,
		text_phases(&report->pool, registration));
	put_flags(out, registration);
	for (size_t i = 0; i < registration->callable_count; i++) {
		const struct callable *callable = &registration->callables[i];
		const char *place = text_place(&report->pool, &callable->place);

		fprintf(out, "  %-12s %s  %s%s%s", phase_names[callable->phase], text_callable(&report->pool, callable),
			callable->module_name ? callable->module_name : "", place ? "  " : "", place ? place : "");
		if (registration->calls[callable->phase] != UNKNOWN)
			fprintf(out, "  called %" PRId64 " times", registration->calls[callable->phase]);
		fputc('\n', out);
	}
	put_stack(out, report, "made by", registration->stack);
	put_stack(out, report, "native", registration->native_stack);
	if (!registration->stack && !registration->native_stack)
		fprintf(out, "  %-12s site unknown\n", "made by");
	for (size_t i = 0; i < registration->owner_count && i < DEFAULT_SHOWN; i++)
		put_owner(out, report, registration, registration->owners[i]);
	if (registration->owner_count == 0 && (registration->owner_type || registration->owner_kind))
		fprintf(out, "  %-12s %s %s\n", "owner", registration->owner_kind ? registration->owner_kind : "",
			registration->owner_type ? registration->owner_type : "");
	if (registration->frees_bytes != UNKNOWN)
		fprintf(out, "  %-12s %s, %s", "frees alone", text_count(objects, registration->frees_objects, "object"),
			text_size(size, registration->frees_bytes));
	if (registration->frees_bytes != UNKNOWN && registration->frees_native_bytes > 0)
		fprintf(out, ", %s native", text_size(size, registration->frees_native_bytes));
	if (registration->frees_bytes != UNKNOWN)
		fputc('\n', out);
}

bool why_report(FILE *out, struct report *report, const char *pattern, size_t limit)
{
	struct found marks = {
		.objects = take(report->object_count, sizeof(bool)),
		.registrations = take(report->registration_count, sizeof(bool)),
		.blocks = take(report->block_count, sizeof(bool)),
	};
	size_t found = find(report, pattern, &marks), shown = 0, hidden = 0;

	if (marks.finding)
		trace_print(out, report, marks.finding);
	for (size_t i = 0; i < report->object_count; i++) {
		if (marks.objects[i] && shown++ < limit)
			why_object(out, report, &report->objects[i]);
		else
			hidden += marks.objects[i];
	}
	shown = 0;
	for (size_t i = 0; i < report->registration_count; i++) {
		if (marks.registrations[i] && shown++ < limit)
			why_registration(out, report, &report->registrations[i]);
		else
			hidden += marks.registrations[i];
	}
	hidden += why_blocks(out, report, marks.blocks, limit);
	if (hidden > 0)
		fprintf(out, "%sand %zu more (-n shows more)%s\n", style.dim, hidden, style.off);
	free(marks.objects);
	free(marks.registrations);
	free(marks.blocks);
	return found > 0;
}

int why_main(int argc, char **argv)
{
	unsigned long limit = DEFAULT_SHOWN;
	struct report *report;
	bool symbols = true;
	int option, status;
	char *end;

	while ((option = verb_options(argc, argv, ":n:h", options, usage)) != -1) {
		if (option == 'N') {
			symbols = false;
			continue;
		}
		limit = strtoul(optarg, &end, 10);
		if (end == optarg || *end || strchr(optarg, '-'))
			return verb_usage(argv, "'%s' is not a number", optarg);
	}
	if (argc - optind != 2)
		return verb_usage(argv, argc - optind < 2 ? "needs a REPORT and a PATTERN"
			: "more than a REPORT and a PATTERN");
	report = report_load(argv[optind]);
	if (!report)
		return STATUS_REPORT;
	if (symbols)
		symbols_start(report);
	status = why_report(stdout, report, argv[optind + 1], limit) ? STATUS_GOOD : STATUS_FOUND;
	if (status == STATUS_FOUND)
		fprintf(stderr, "forkheld: %s: nothing matches %s%s\n", report->file,
			clean_text(&report->pool, argv[optind + 1]),
			report->objects_dropped > 0 ? " (the report does not list all objects)"
			: report->blocks_dropped > 0 ? " (the report does not list all blocks)" : "");
	report_free(report);
	return status;
}
