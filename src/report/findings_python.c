/* SPDX-License-Identifier: Apache-2.0 */
/* FH001 fork-only-object, FH002 joint-retention, FH003 dead-weak-callback. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forkheld/report.h"
#include "ledger/strings.h"
#include "python/describe.h"
#include "report/behind.h"
#include "report/findings.h"
#include "report/holders.h"

static const char *joined(const char *first, const char *separator, const char *second)
{
	char text[2048];
	snprintf(text, sizeof text, "%s%s%s", first ? first : "?", separator, second ? second : "?");
	return strings_intern(text);
}

static const char *type_of(const struct analysis *analysis, uint32_t node)
{
	struct type_text text = describe_type((pyobject *)analysis->heap.objects[node]->type);
	return joined(text.module, ".", text.qualname);
}

const char *registration_callable(const struct heap_registration *registration)
{
	for (int phase = 0; phase < PHASES; phase++) {
		if (registration->callable[phase]) {
			struct callable_text text = describe_callable(registration->callable[phase]);
			return joined(text.module, ".", text.qualname);
		}
	}
	return NULL;
}

/* The registrations that hold @owner: strong ones. Returns the first that is not baseline, or NULL. */
static const struct heap_registration *first_live(const struct analysis *analysis, const struct owner *owner)
{
	for (uint32_t i = 0; i < owner->registration_count; i++) {
		uint32_t index = analysis->links[owner->first_registration + i];
		const struct heap_registration *registration = &analysis->heap.registrations[index];
		if (registration->strength == STRENGTH_STRONG && !registration->record->baseline)
			return registration;
	}
	return NULL;
}

/* The path to one container, without the item's own label at the end. Owners share containers, so the last is
 * remembered. */
static const char *container_path(struct analysis *analysis, struct path_search *search, uint32_t owner,
				  uint32_t container)
{
	if (container == analysis->named_container)
		return analysis->named_path;
	struct holder holder;
	holder_through(analysis, search, owner, container, &holder);
	const char *path = "";
	for (unsigned i = 0; i + 1 < holder.path_length; i++)
		path = joined(path, "", holder.path[i]);
	analysis->named_container = container;
	return analysis->named_path = path;
}

/* Of an owner without a container of its own: the container that holds what it lives behind. */
static const char *container_paths(struct analysis *analysis, struct path_search *search, const struct owner *owner)
{
	struct cut_edge edge;
	const char *all = "";
	if (owner->cut_count == 0 && behind_registry(analysis, owner->node, &edge))
		return container_path(analysis, search, edge.to, edge.from);
	for (uint32_t i = 0; i < owner->cut_count; i++) {
		uint32_t container = analysis->owner_cuts[owner->first_cut + i].from;
		all = joined(all, *all ? " " : "", container_path(analysis, search, owner->node, container));
	}
	return strings_intern(all);
}

static bool module_registry(const struct analysis *analysis, const struct owner *owner)
{
	struct cut_edge edge;
	if (owner->cut_count == 0 && behind_registry(analysis, owner->node, &edge))
		owner = analysis_owner(analysis, edge.to);
	return owner->module_registry;
}

static int add_owner(struct finding *finding, const struct analysis *analysis, const struct owner *owner)
{
	if (!finding || !numbers_add(&finding->objects, owner->node))
		return -ENOMEM;
	finding->count++;
	for (uint32_t i = 0; i < owner->registration_count; i++) {
		uint32_t index = analysis->links[owner->first_registration + i];
		const struct heap_registration *registration = &analysis->heap.registrations[index];
		if (registration->strength == STRENGTH_STRONG &&
		    !numbers_add(&finding->registrations, registration->record->sequence))
			return -ENOMEM;
	}
	return 0;
}

static int owner_finding(struct findings *findings, struct analysis *analysis, struct path_search *search,
			 const struct owner *owner)
{
	const struct heap_registration *registration = first_live(analysis, owner);
	if (owner->verdict == VERDICT_IN_USE || !registration)
		return 0;
	const char *type = type_of(analysis, owner->node), *callable = registration_callable(registration);
	struct finding *finding;
	if (owner->verdict == VERDICT_FORK_ONLY)
		finding = findings_group(findings, "FH001", "fork-only-object", FORKHELD_LEVEL_ERROR, type, callable, NULL);
	else
		finding = findings_group(findings, "FH002", "joint-retention",
					 module_registry(analysis, owner) ? FORKHELD_LEVEL_NOTE : FORKHELD_LEVEL_ERROR,
					 type, callable, container_paths(analysis, search, owner));
	return add_owner(finding, analysis, owner);
}

static bool owns(const struct analysis *analysis, const struct finding *finding, uint32_t registration)
{
	for (uint32_t i = 0; i < analysis->heap.registrations[registration].owner_count; i++)
		if (numbers_have(&finding->objects, analysis->heap.registrations[registration].owners[i]))
			return true;
	return false;
}

/* What dies when all of the finding's registrations and containers go. An owner that another owner holds lives through
 * that one's registrations and containers as well. */
static int measure(struct finding *finding, struct analysis *analysis)
{
	struct behind behind = {0};
	struct freed freed = {0};
	numbers_sort(&finding->objects);
	int result = behind_find(analysis, &finding->objects, &behind);
	for (uint32_t i = 0; i < behind.registrations.count && result == 0; i++) {
		uint32_t index = behind.registrations.items[i];
		if (!owns(analysis, finding, index) &&
		    !numbers_add(&finding->also, analysis->heap.registrations[index].record->sequence))
			result = -ENOMEM;
	}
	if (result == 0)
		result = analysis_freed(analysis, behind.registrations.items, behind.registrations.count, behind.cuts,
					behind.cut_count, &freed);
	finding->bytes = freed.bytes;
	finding->freed = freed.objects;
	finding->behind = behind.owners;
	behind.owners = (struct numbers){0};
	behind_finish(&behind);
	return result;
}

/* "(and through TYPE)": the first of the further owners that hold what the finding is about, or nothing. */
static const char *through(const struct finding *finding, const struct analysis *analysis)
{
	char text[1024];
	if (!finding->behind.count)
		return "";
	snprintf(text, sizeof text, " (and through %s%s)", type_of(analysis, finding->behind.items[0]),
		 finding->behind.count > 1 ? " and others" : "");
	return strings_intern(text);
}

static void explain(struct finding *finding, const struct analysis *analysis)
{
	char text[3072];
	const char *plural = finding->count == 1 ? "" : "s";
	if (strcmp(finding->rule, "FH001") == 0) {
		snprintf(text, sizeof text, "%" PRIu64 " object%s of type %s kept alive only by fork handler %s%s: %" PRIu64
			 " bytes in %" PRIu64 " objects would be freed", finding->count, plural, finding->type,
			 finding->callable, through(finding, analysis), finding->bytes, finding->freed);
		finding->fix = "register one module-level handler over a WeakSet, or a WeakMethod with a None check";
	} else if (strcmp(finding->rule, "FH002") == 0) {
		snprintf(text, sizeof text, "%" PRIu64 " object%s of type %s kept alive only by fork handler %s%s together"
			 " with %s: %" PRIu64 " bytes in %" PRIu64 " objects would be freed without %s", finding->count,
			 plural, finding->type, finding->callable, through(finding, analysis),
			 *finding->holder ? finding->holder : "an owner of it", finding->bytes, finding->freed,
			 finding->behind.count ? "all of them" : "both");
		finding->fix = strcmp(finding->level, FORKHELD_LEVEL_NOTE) == 0
			? "if the module no longer needs the object, drop it from the list in shutdown(), and register a weak"
			  " handler"
			: "make the class's container a WeakSet (or drop the object in shutdown()), and register a weak"
			  " handler";
	} else {
		bool raises = strcmp(finding->level, FORKHELD_LEVEL_ERROR) == 0;
		snprintf(text, sizeof text, "%" PRIu64 " registration%s of %s whose weakly referenced object is gone%s",
			 finding->count, plural, finding->callable,
			 raises ? ": the next fork raises and prints a traceback for each" : "; each still runs at every fork");
		finding->fix = raises ? "test the weak reference's result for None before calling it"
				      : "register one module-level handler over a WeakSet instead of one for each object";
	}
	finding->message = strings_intern(text);
}

static int dead_finding(struct findings *findings, const struct heap_registration *registration)
{
	if (registration->strength != STRENGTH_DEAD_WEAK || registration->record->baseline)
		return 0;
	struct finding *finding = findings_group(findings, "FH003", "dead-weak-callback",
						 registration->raises ? FORKHELD_LEVEL_ERROR : FORKHELD_LEVEL_WARNING, NULL,
						 registration_callable(registration), NULL);
	if (!finding || !numbers_add(&finding->registrations, registration->record->sequence))
		return -ENOMEM;
	finding->count++;
	return 0;
}

int findings_python(struct findings *findings, struct analysis *analysis, struct path_search *search)
{
	int result = 0;
	for (uint32_t i = 0; i < analysis->owner_count && result == 0; i++)
		result = owner_finding(findings, analysis, search, &analysis->owners[i]);
	for (uint32_t i = 0; i < analysis->heap.registration_count && result == 0; i++)
		result = dead_finding(findings, &analysis->heap.registrations[i]);
	for (uint32_t i = 0; i < findings->count && result == 0; i++) {
		if (findings->list[i].objects.count)
			result = measure(&findings->list[i], analysis);
		explain(&findings->list[i], analysis);
	}
	return result;
}
