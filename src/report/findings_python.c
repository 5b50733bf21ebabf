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

static const char *container_paths(struct analysis *analysis, struct path_search *search, const struct owner *owner)
{
	const char *all = "";
	for (uint32_t i = 0; i < owner->cut_count; i++) {
		uint32_t container = analysis->owner_cuts[owner->first_cut + i].from;
		all = joined(all, *all ? " " : "", container_path(analysis, search, owner->node, container));
	}
	return strings_intern(all);
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
					 owner->module_registry ? FORKHELD_LEVEL_NOTE : FORKHELD_LEVEL_ERROR, type, callable,
					 container_paths(analysis, search, owner));
	return add_owner(finding, analysis, owner);
}

/* What dies when all of the finding's registrations and containers go. */
static int measure(struct finding *finding, struct analysis *analysis)
{
	struct numbers dropped = {0};
	struct cut_edge *cuts = malloc((analysis->cut_count + 1) * sizeof *cuts);
	uint32_t cut_count = 0;
	int result = cuts ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < finding->objects.count && result == 0; i++) {
		const struct owner *owner = analysis_owner(analysis, finding->objects.items[i]);
		for (uint32_t j = 0; j < owner->registration_count && result == 0; j++)
			if (!numbers_add(&dropped, analysis->links[owner->first_registration + j]))
				result = -ENOMEM;
		for (uint32_t j = 0; j < owner->cut_count && cuts; j++)
			cuts[cut_count++] = analysis->owner_cuts[owner->first_cut + j];
	}
	if (result == 0 && dropped.count) {
		numbers_sort(&dropped);
		cuts_sort(cuts, cut_count);
		struct freed freed;
		result = analysis_freed(analysis, dropped.items, dropped.count, cuts, cut_count, &freed);
		finding->bytes = freed.bytes;
		finding->freed = freed.objects;
	}
	free(dropped.items);
	free(cuts);
	return result;
}

static void explain(struct finding *finding)
{
	char text[2048];
	const char *plural = finding->count == 1 ? "" : "s";
	if (strcmp(finding->rule, "FH001") == 0) {
		snprintf(text, sizeof text, "%" PRIu64 " object%s of type %s kept alive only by fork handler %s: %" PRIu64
			 " bytes in %" PRIu64 " objects would be freed", finding->count, plural, finding->type,
			 finding->callable, finding->bytes, finding->freed);
		finding->fix = "register one module-level handler over a WeakSet, or a WeakMethod with a None check";
	} else if (strcmp(finding->rule, "FH002") == 0) {
		snprintf(text, sizeof text, "%" PRIu64 " object%s of type %s kept alive only by fork handler %s together"
			 " with %s: %" PRIu64 " bytes in %" PRIu64 " objects would be freed without both", finding->count, plural,
			 finding->type, finding->callable, *finding->holder ? finding->holder : "an owner of it", finding->bytes,
			 finding->freed);
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
		explain(&findings->list[i]);
	}
	return result;
}
