/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <forkheld/report.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "show.h"
#include "symbolize.h"
#include "text.h"

/* Calls of one stack, and modules without names, that are printed unless everything is wanted. */
#define ROWS 10
#define DOUBTS 5

static char *age(char word[WORD_SIZE], int64_t ns)
{
	double seconds = (double)ns / 1e9;

	if (seconds < 1)
		snprintf(word, WORD_SIZE, "%.0f ms", seconds * 1e3);
	else if (seconds < 100)
		snprintf(word, WORD_SIZE, "%.1f s", seconds);
	else if (seconds < 100 * 60)
		snprintf(word, WORD_SIZE, "%.0f min", seconds / 60);
	else if (seconds < 100 * 3600.0)
		snprintf(word, WORD_SIZE, "%.0f h", seconds / 3600);
	else
		snprintf(word, WORD_SIZE, "%.0f days", seconds / 86400);
	return word;
}

char *live_age(char text[AGE_SIZE], int64_t newest_ns, int64_t oldest_ns)
{
	char newest[WORD_SIZE] = "", oldest[WORD_SIZE] = "";

	if (newest_ns != UNKNOWN)
		age(newest, newest_ns);
	if (oldest_ns != UNKNOWN)
		age(oldest, oldest_ns);
	if (*newest && *oldest && strcmp(newest, oldest) != 0)
		snprintf(text, AGE_SIZE, "between %s and %s old", newest, oldest);
	else
		snprintf(text, AGE_SIZE, "%s%s", *oldest ? oldest : newest, *oldest || *newest ? " old" : "");
	return text;
}

/* nameless - one more native call of a module that has no names: it adds nothing to the one before. */
static bool nameless(const struct call *call)
{
	return call->frame->native && !call->place.file && strcmp(call->function, "?") == 0;
}

static bool repeats(const struct call *call)
{
	return nameless(call) && nameless(call - 1) && call->frame->module == call[-1].frame->module;
}

/* importing - the interpreter between an import and the module's code: five calls for each level, and no news. */
static bool importing(const struct call *call)
{
	return !call->frame->native && call->place.file && strncmp(call->place.file, "<frozen importlib", 17) == 0;
}

/* wanted - is @call worth a row, with @rows before it? @own: one of the reader's own was among them. */
static bool wanted(const struct call *call, size_t rows, bool own)
{
	if (rows == 0)
		return true;
	if (rows >= ROWS)
		return call->own && !own;
	return !repeats(call) && !importing(call);
}

void live_stack(FILE *out, struct report *report, const char *label, const struct stack *stack, bool whole)
{
	struct calls calls = calls_of(report, stack);
	size_t rows = 0, left_out = 0;
	bool own = false;

	for (size_t i = 0; i < calls.count; i++) {
		const struct call *call = &calls.list[i];

		if (!whole && !wanted(call, rows, own)) {
			left_out++;
			continue;
		}
		own = own || call->own;
		fprintf(out, "  %-12s %s\n", label, calls_line(report, call));
		label = rows++ == 0 && *label ? "called from" : "";
	}
	if (left_out > 0)
		fprintf(out, "  %-12s %sand %zu more%s\n", "", style.dim, left_out, style.off);
}

static void put_site(FILE *out, struct report *report, const struct site *site, bool whole)
{
	char size[WORD_SIZE], count[WORD_SIZE], old[AGE_SIZE];

	live_age(old, site->newest_ns, site->oldest_ns);
	fprintf(out, "\n%s%s%s in %s  %s%s%s\n", style.strong, text_size(size, site->bytes), style.off,
		text_count(count, site->count, "block"), site->python ? "python" : "native", *old ? ", " : "", old);
	live_stack(out, report, "allocated", site->stack, whole);
	if (!site->stack || site->stack->frame_count == 0)
		fprintf(out, "  %-12s site unknown\n", "allocated");
}

static int compare_sites(const void *a, const void *b)
{
	const struct site *left = *(const struct site *const *)a, *right = *(const struct site *const *)b;

	if (left->bytes != right->bytes)
		return left->bytes < right->bytes ? 1 : -1;
	if (left->count != right->count)
		return left->count < right->count ? 1 : -1;
	return left < right ? -1 : left > right;
}

/* put_capabilities - of those that say what of the blocks is known. */
static void put_capabilities(FILE *out, const struct report *report)
{
	static const char *const names[] = {"blocks", "blocks.stacks", "objects.stacks"};

	for (size_t i = 0; i < report->capability_count; i++) {
		const struct capability *capability = &report->capabilities[i];
		bool wanted = false;

		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			wanted = wanted || strcmp(capability->name, names[j]) == 0;
		if (wanted && strcmp(capability->state, "full") != 0)
			fprintf(out, "%s%s%s: %s%s%s\n", style.warning, capability->name, style.off, capability->state,
				capability->reason ? ", " : "", capability->reason ? capability->reason : "");
	}
}

static void put_totals(FILE *out, const struct allocations *all)
{
	char count[WORD_SIZE], size[WORD_SIZE];

	fprintf(out, "%s%s live, %s", all->sample > 0 ? "about " : "",
		text_count(count, sum_of(all->native_count, all->python_count), "block"),
		text_size(size, sum_of(all->native_bytes, all->python_bytes)));
	fprintf(out, "; native %s", text_size(size, all->native_bytes));
	fprintf(out, ", python %s\n", text_size(size, all->python_bytes));
	if (all->sample > 0)
		fprintf(out, "estimated: one allocation was recorded in about every %s\n",
			text_size(size, all->sample));
}

static void put_rest(FILE *out, const struct allocations *all, size_t limit)
{
	char sites[WORD_SIZE], size[WORD_SIZE];

	if (all->site_count > limit)
		fprintf(out, "\n%sand %zu more (--all shows them)%s\n", style.dim, all->site_count - limit, style.off);
	if (all->sites_dropped > 0)
		fprintf(out, "%s%s that the report does not list: %s%s\n", style.dim,
			text_count(sites, all->sites_dropped, "site"), text_size(size, all->dropped_bytes), style.off);
}

void live_report(FILE *out, struct report *report, size_t limit, bool whole)
{
	const struct allocations *all = &report->allocations;
	const struct site **order = take(all->site_count, sizeof(*order));

	show_process(out, report);
	if (!report->complete)
		fprintf(out, "%sincomplete%s: %s\n", style.error, style.off,
			report->reason ? report->reason : "the report gives no reason");
	if (report->has_allocations)
		put_totals(out, all);
	else
		fputs("no live blocks are listed: they were not recorded\n", out);
	put_capabilities(out, report);
	for (size_t i = 0; i < all->site_count; i++)
		order[i] = &all->sites[i];
	qsort(order, all->site_count, sizeof(*order), compare_sites);
	for (size_t i = 0; i < all->site_count && i < limit; i++)
		put_site(out, report, order[i], whole);
	put_rest(out, all, limit);
	symbols_doubts(out, report, whole ? SIZE_MAX : DOUBTS);
	free(order);
}
