/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include <forkheld/report.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "tally.h"
#include "text.h"

/* Rows of one kind that a trace prints before "and N more". */
#define ROWS 5
#define CHILD_ROWS 3
#define CALLER_ROWS 3

const struct frame *registration_frame(const struct registration *registration)
{
	const struct frame *frame = text_frame(registration->stack);

	return frame ? frame : text_frame(registration->native_stack);
}

static void put_more(FILE *out, size_t count, size_t shown)
{
	if (count > shown)
		fprintf(out, "     %sand %zu more%s\n", style.dim, count - shown, style.off);
}

/* freed_objects - of all owners together; *@exact is false where only a lower limit can be told (shared children). */
static int64_t freed_objects(const struct finding *finding, bool *exact)
{
	int64_t objects = 0, bytes = 0;

	*exact = true;
	if (finding->freed_objects != UNKNOWN)
		return finding->freed_objects;
	for (size_t i = 0; i < finding->object_count; i++) {
		objects = sum_of(objects, finding->objects[i]->retained_objects);
		bytes = sum_of(bytes, finding->objects[i]->retained_bytes);
	}
	*exact = bytes == finding->bytes;
	return objects;
}

static void put_headline(FILE *out, const struct finding *finding)
{
	char count[WORD_SIZE], size[WORD_SIZE], inside[WORD_SIZE];
	bool exact;
	int64_t objects = freed_objects(finding, &exact);

	fprintf(out, "%s%s %s%s", text_level(finding->level), finding->rule, finding->name, style.off);
	if (finding->level == LEVEL_NOTE || strcmp(finding->rule, "FH003") == 0)
		fprintf(out, " (%s)", level_names[finding->level]);
	fprintf(out, "  %s%s%s    ", style.dim, finding->fingerprint, style.off);
	if (strcmp(finding->rule, "FH005") == 0) {
		fprintf(out, "%s, %s would be freed\n", text_count(count, finding->count, "block"),
			text_size(size, finding->bytes));
	} else if (finding->object_count == 0 ||
		   (strcmp(finding->rule, "FH001") != 0 && strcmp(finding->rule, "FH002") != 0)) {
		fprintf(out, "%s\n", finding->message);
	} else {
		bool joint = strcmp(finding->rule, "FH002") == 0;
		const char *others = joint ? " if registrations and containers let go together" :
					     " if the registrations let go together";
		const char *condition = joint ? " if registration and container let go together" : "";

		fprintf(out, "%s of one signature, %s in %s%s would be freed%s\n",
			text_count(count, finding->count, "object"), text_size(size, finding->bytes),
			exact ? "" : "at least ", text_count(inside, objects, "object"),
			finding->behind_count > 0 ? others : condition);
	}
}

/* frame_line - function and place; the reader's own code stands out. */
static const char *frame_line(struct pool *pool, const struct frame *frame)
{
	bool own = text_own(frame);

	return pool_print(pool, "%-28s  %s%s%s", text_frame_name(frame), own ? style.strong : "",
		text_frame_place(pool, frame), own ? style.off : "");
}

/* own_of - for each registration of the finding: is one of its objects behind it, or only what holds these? To free. */
static bool *own_of(const struct report *report, const struct finding *finding)
{
	bool *own = take(finding->registration_count, sizeof(*own));
	signed char *marks = take(report->object_count, sizeof(*marks));

	for (size_t i = 0; i < finding->behind_count; i++)
		marks[finding->behind[i] - report->objects] = -1;
	for (size_t i = 0; i < finding->object_count; i++)
		marks[finding->objects[i] - report->objects] = 1;
	for (size_t i = 0; i < finding->registration_count; i++) {
		const struct registration *registration = finding->registrations[i];
		bool ours = false, others = false;

		for (size_t j = 0; j < registration->owner_count; j++) {
			ours = ours || marks[registration->owners[j] - report->objects] > 0;
			others = others || marks[registration->owners[j] - report->objects] < 0;
		}
		own[i] = ours || !others;
	}
	free(marks);
	return own;
}

/* put_sites - of the registrations that are @wanted in @own. */
static void put_sites(FILE *out, struct report *report, const struct finding *finding, const bool *own, bool wanted,
	const char *label)
{
	struct tally tally = {0};

	for (size_t i = 0; i < finding->registration_count; i++) {
		const struct registration *registration = finding->registrations[i];
		const struct frame *frame = registration_frame(registration);
		const char *text;

		if (own[i] != wanted)
			continue;
		if (frame)
			text = pool_print(&report->pool, "%s   %s", frame_line(&report->pool, frame),
				text_phases(&report->pool, registration));
		else
			text = pool_print(&report->pool, "%-28s  %s", "site unknown",
				text_phases(&report->pool, registration));
		tally_add(&tally, text, 0, 0, registration);
	}
	tally_fold(&tally);
	for (size_t i = 0; i < tally.count && i < ROWS; i++) {
		const struct registration *first = tally.rows[i].first;

		fprintf(out, "  %-12s %s", label, tally.rows[i].text);
		label = "";
		if (tally.rows[i].count > 1)
			fprintf(out, ", %" PRId64 " times", tally.rows[i].count);
		fputs(first->inherited ? ", inherited\n" : "\n", out);
	}
	put_more(out, tally.count, ROWS);
	tally_finish(&tally);
}

/* put_callers - who called the code that registers: of the first registration, the others differ only further out. The
 * nearest frames, and however far out it is the first of the reader's own code. */
static void put_callers(FILE *out, struct report *report, const struct finding *finding, const bool *ours)
{
	size_t first = 0;

	while (first + 1 < finding->registration_count && !ours[first])
		first++;
	const struct stack *stack = finding->registration_count > 0 ? finding->registrations[first]->stack : NULL;
	bool own = stack && stack->frame_count > 0 && text_own(stack->frames[0]);

	for (size_t i = 1; stack && i < stack->frame_count && (i <= CALLER_ROWS || !own); i++) {
		if (i > CALLER_ROWS && !text_own(stack->frames[i]))
			continue;
		own = own || text_own(stack->frames[i]);
		fprintf(out, "  %-12s %s\n", i == 1 ? "called from" : "", frame_line(&report->pool, stack->frames[i]));
	}
}

static void put_callables(FILE *out, struct report *report, const struct finding *finding, const bool *own)
{
	struct tally tally = {0};

	for (size_t i = 0; i < finding->registration_count; i++) {
		const struct registration *registration = finding->registrations[i];

		if (!own[i])
			continue;
		for (size_t j = 0; j < registration->callable_count; j++)
			tally_add(&tally, text_callable(&report->pool, &registration->callables[j]), 0, 0,
				registration);
	}
	tally_fold(&tally);
	for (size_t i = 0; i < tally.count && i < ROWS; i++) {
		const struct registration *first = tally.rows[i].first;

		fprintf(out, "  %-12s %s", i == 0 ? "fork handler" : "", tally.rows[i].text);
		if (first->strength && strcmp(first->strength, "strong") != 0)
			fprintf(out, " (%s)", first->strength);
		fputc('\n', out);
	}
	put_more(out, tally.count, ROWS);
	tally_finish(&tally);
}

static const struct holder *fork_holder(const struct object *object)
{
	for (size_t i = 0; i < object->holder_count; i++)
		if (strcmp(object->holders[i].kind, "fork-registration") == 0)
			return &object->holders[i];
	return NULL;
}

/* way_from - how the handler reaches the object: the path without its root, which names the registration and phase. */
static const char *way_from(struct pool *pool, const struct holder *holder)
{
	size_t first = 1;

	if (!holder || holder->path_count < 2)
		return "owner";
	for (int phase = 0; phase < PHASES && first == 1; phase++)
		if (holder->path_count > 2 && strcmp(holder->path[1], phase_names[phase]) == 0)
			first = 2;
	return text_path(pool, holder, first);
}

static void put_object_rows(FILE *out, struct tally *tally, size_t rows, const char *indent)
{
	char size[WORD_SIZE];

	tally_fold(tally);
	for (size_t i = 0; i < tally->count && i < rows; i++) {
		fprintf(out, "%s%-40s  retains %s", indent, tally->rows[i].text, text_size(size, tally->rows[i].bytes));
		if (tally->rows[i].native_bytes > 0)
			fprintf(out, " (%s native)", text_size(size, tally->rows[i].native_bytes));
		if (tally->rows[i].count > 1)
			fprintf(out, ", %" PRId64 " of them", tally->rows[i].count);
		fputc('\n', out);
	}
	if (tally->count > rows)
		fprintf(out, "%s%sand %zu more%s\n", indent, style.dim, tally->count - rows, style.off);
}

static void put_owners(FILE *out, struct report *report, const struct finding *finding)
{
	struct tally tally = {0};

	for (size_t i = 0; i < finding->object_count; i++) {
		const struct object *object = finding->objects[i];

		tally_add(&tally, pool_print(&report->pool, "%s  %s%s%s", way_from(&report->pool, fork_holder(object)),
			style.strong, text_type(&report->pool, object), style.off), object->retained_bytes,
			object->native_bytes, object);
	}
	put_object_rows(out, &tally, ROWS, "     ");
	tally_finish(&tally);
}

/* put_behind - further owners that hold these, and so must go as well. */
static void put_behind(FILE *out, struct report *report, const struct finding *finding, const bool *own)
{
	struct tally tally = {0};

	if (finding->behind_count == 0)
		return;
	fputs("  which are held by further owners, that would be freed as well\n", out);
	for (size_t i = 0; i < finding->behind_count; i++) {
		const struct object *object = finding->behind[i];

		tally_add(&tally, pool_print(&report->pool, "%s  %s%s%s", way_from(&report->pool, fork_holder(object)),
			style.strong, text_type(&report->pool, object), style.off), object->retained_bytes,
			object->native_bytes, object);
	}
	put_object_rows(out, &tally, ROWS, "     ");
	tally_finish(&tally);
	put_sites(out, report, finding, own, false, "registered");
}

static int compare_retained(const void *a, const void *b)
{
	const struct object *left = *(const struct object *const *)a, *right = *(const struct object *const *)b;

	if (left->retained_bytes != right->retained_bytes)
		return left->retained_bytes < right->retained_bytes ? 1 : -1;
	return left->id < right->id ? -1 : left->id > right->id;
}

/* What the rows of children look for, by index in the report. */
struct behind_owners {
	const bool *registrations, *owners; /* of the finding */
};

/* is_behind - would @object go with the owners? What an owner dominates, or several owners of the finding together; not
 * an owner of another finding that these merely refer to. */
static bool is_behind(const struct report *report, const struct behind_owners *ours, const struct object *object)
{
	const struct object *top = object;

	/* A report from elsewhere may go round in circles. */
	for (size_t step = 0; top->dominator && step < report->object_count; step++) {
		top = top->dominator;
		if (ours->owners[top - report->objects])
			return true;
	}
	if (top->registration_count > 0)
		return false;
	for (size_t i = 0; i < top->holder_count; i++) {
		const struct registration *registration = top->holders[i].registration;

		if (!top->holders[i].own && !(registration && ours->registrations[registration - report->registrations]))
			return false;
	}
	return top->holder_count > 0;
}

/* put_children - the largest things behind the owners. */
static void put_children(FILE *out, struct report *report, const struct finding *finding, const bool *own)
{
	bool *ours = take(report->registration_count, sizeof(*ours));
	bool *owner = take(report->object_count, sizeof(*owner));
	const struct object **children = take(report->object_count, sizeof(*children));
	const struct behind_owners behind = {ours, owner};
	struct tally tally = {0};
	size_t count = 0;

	for (size_t i = 0; i < finding->registration_count; i++)
		ours[finding->registrations[i] - report->registrations] = own[i];
	for (size_t i = 0; i < finding->object_count; i++)
		owner[finding->objects[i] - report->objects] = true;
	for (size_t i = 0; i < report->object_count; i++) {
		const struct object *object = &report->objects[i];

		if (!owner[i] && !object->plumbing && object->verdict != VERDICT_IN_USE &&
		    is_behind(report, &behind, object))
			children[count++] = object;
	}
	qsort(children, count, sizeof(*children), compare_retained);
	for (size_t i = 0; i < count; i++) {
		const struct holder *holder = children[i]->holder_count > 0 ? &children[i]->holders[0] : NULL;
		const char *way = holder && holder->path_count > 0 ? holder->path[holder->path_count - 1] : "";

		tally_add(&tally, pool_print(&report->pool, "%s%s%s", way, *way ? "  " : "",
			text_type(&report->pool, children[i])), children[i]->retained_bytes, children[i]->native_bytes,
			children[i]);
	}
	put_object_rows(out, &tally, CHILD_ROWS, "        ");
	tally_finish(&tally);
	free(ours);
	free(owner);
	free(children);
}

/* put_allocated - where the owner that retains most was made; and the nearest of the reader's own code, if that is
 * further out. */
static void put_allocated(FILE *out, struct report *report, const struct finding *finding)
{
	const struct stack *stack = finding->allocated;
	bool approximate = finding->allocated_approximate;
	const struct call *call;
	struct calls calls;

	for (size_t i = 0; i < finding->object_count && !stack; i++) {
		stack = finding->objects[i]->allocated;
		approximate = finding->objects[i]->allocated_approximate;
	}
	for (size_t i = 0; i < finding->block_count && !stack; i++)
		stack = finding->blocks[i]->allocated;
	calls = calls_of(report, stack);
	call = calls_suspect(calls);
	if (!call)
		return;
	fprintf(out, "  %-12s %s%s", "allocated", calls_line(report, call),
		approximate ? "  (perhaps: an earlier object's place)" : "");
	if (finding->allocated_places > 1)
		fprintf(out, "   one of %" PRId64 " places", finding->allocated_places);
	fputc('\n', out);
	for (const struct call *end = calls.list + calls.count; !call->own && ++call < end;) {
		if (call->own)
			fprintf(out, "  %-12s %s\n", "called from", calls_line(report, call));
	}
}

static const struct capability *retention(const struct report *report)
{
	for (size_t i = 0; i < report->capability_count; i++)
		if (strcmp(report->capabilities[i].name, "python.retention") == 0)
			return &report->capabilities[i];
	return NULL;
}

/* put_holders - everything outside that holds the owners and is no fork registration. */
static void put_holders(FILE *out, struct report *report, const struct finding *finding, const bool *own)
{
	const struct capability *capability = retention(report);
	struct tally tally = {0};
	bool joint = strcmp(finding->rule, "FH002") == 0;

	for (size_t i = 0; i < finding->object_count; i++) {
		for (size_t j = 0; j < finding->objects[i]->holder_count; j++) {
			const struct holder *holder = &finding->objects[i]->holders[j];

			if (!holder->own && strcmp(holder->kind, "fork-registration") != 0)
				tally_add(&tally, pool_print(&report->pool, "%-16s  %s", holder->kind,
					text_path(&report->pool, holder, 0)), 0, 0, holder);
		}
	}
	tally_fold(&tally);
	if (joint) {
		char size[WORD_SIZE];
		int64_t frees = 0;
		size_t count = 0;

		for (size_t i = 0; i < finding->registration_count; i++) {
			frees = own[i] ? sum_of(frees, finding->registrations[i]->frees_bytes) : frees;
			count += own[i];
		}
		fprintf(out, "  removing the registration%s alone frees %s, because\n", count == 1 ? "" : "s",
			text_size(size, frees));
	} else if (tally.count > 0) {
		fputs("  also held by\n", out);
	} else if (capability && strcmp(capability->state, "full") == 0) {
		fputs("  also held by nothing (modules, classes, threads, frames, C references looked at)\n", out);
	} else {
		fprintf(out, "  also held by nothing that could be looked at (python.retention is %s)\n",
			capability ? capability->state : "not given");
	}
	for (size_t i = 0; i < tally.count && i < ROWS; i++) {
		fprintf(out, "     %s", tally.rows[i].text);
		if (tally.rows[i].count > 1)
			fprintf(out, "  (%" PRId64 " times)", tally.rows[i].count);
		fputc('\n', out);
	}
	if (joint && tally.count == 0)
		fputs("     of a container that this report does not list\n", out);
	put_more(out, tally.count, ROWS);
	tally_finish(&tally);
}

static void put_slots(FILE *out, struct report *report, const struct finding *finding)
{
	for (size_t i = 0; i < finding->block_count && i < ROWS; i++) {
		const struct block *block = finding->blocks[i];
		char size[WORD_SIZE];

		fprintf(out, "  %-12s %s  holds %s (%s)\n", i == 0 ? "slot" : "", text_slot(&report->pool, block),
			text_size(size, block->bytes), block->strength ? block->strength : "strength unknown");
	}
	put_more(out, finding->block_count, ROWS);
}

void trace_print(FILE *out, struct report *report, const struct finding *finding)
{
	bool *own = own_of(report, finding);

	put_headline(out, finding);
	put_sites(out, report, finding, own, true, "registered");
	put_callers(out, report, finding, own);
	put_callables(out, report, finding, own);
	put_owners(out, report, finding);
	if (finding->object_count > 0)
		put_children(out, report, finding, own);
	put_behind(out, report, finding, own);
	put_slots(out, report, finding);
	put_allocated(out, report, finding);
	if (finding->object_count > 0)
		put_holders(out, report, finding, own);
	if (finding->fix)
		fprintf(out, "  %-12s %s\n", "fix", finding->fix);
	free(own);
}
