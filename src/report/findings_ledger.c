/* SPDX-License-Identifier: Apache-2.0 */
/* FH004 repeated-registration, FH006 dangling-handler, FH007 foreign-handle, FH008 registered-in-handler. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "forkheld/report.h"
#include "ledger/strings.h"
#include "native/handlers.h"
#include "native/modules.h"
#include "report/findings.h"

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	return slash ? slash + 1 : path;
}

static const char *module_name(uint32_t module)
{
	return module == MODULE_NONE ? NULL : base_name(modules_get(module)->path);
}

/* A place without its line: what an edit does not change. */
static const char *site_name(const struct frame *site, const struct registration *record)
{
	char text[1024];
	if (site->python)
		snprintf(text, sizeof text, "%s in %s", site->function ? site->function : "?", base_name(site->file));
	else if (record->kind == REGISTRATION_PYTHON)
		return NULL;
	else {
		uint32_t module = site->module != MODULE_NONE ? site->module : record->caller_module;
		const char *function = site->function ? site->function : modules_symbol(record->caller, true);
		if (module == MODULE_NONE)
			return NULL;
		snprintf(text, sizeof text, "%s in %s", function ? function : "?", module_name(module));
	}
	return strings_intern(text);
}

const char *findings_handler(const struct registration *record)
{
	char text[1024];
	for (int phase = 0; phase < PHASES; phase++) {
		if (!record->callable[phase])
			continue;
		const char *module = module_name(record->code_module[phase]);
		snprintf(text, sizeof text, "%s in %s", record->symbol[phase] ? record->symbol[phase] : "?",
			 module ? module : "anonymous memory");
		return strings_intern(text);
	}
	return NULL;
}

static int add(struct finding *finding, const struct registration *record)
{
	if (!finding || !numbers_add(&finding->registrations, record->sequence))
		return -ENOMEM;
	finding->count++;
	return 0;
}

/* The callable tells functions of one name apart where a version's frames have no qualified names. */
static int repeated(struct findings *findings, const struct registration *record, const struct heap_registration *found)
{
	struct frame site = registration_site(record);
	const char *name = site_name(&site, record);
	const char *handler = found ? registration_callable(found) : findings_handler(record);
	return name ? add(findings_group(findings, "FH004", "repeated-registration", FORKHELD_LEVEL_WARNING, NULL, name,
					 handler), record)
		    : 0;
}

/* One rule that looks at a native registration alone. */
static int single(struct findings *findings, const struct registration *record)
{
	const char *handler = record->kind == REGISTRATION_NATIVE ? findings_handler(record) : NULL;
	int result = 0;
	if (handler && handler_dangling(record))
		result = add(findings_group(findings, "FH006", "dangling-handler", FORKHELD_LEVEL_ERROR, NULL, handler, NULL),
			     record);
	if (handler && result == 0 && handler_foreign(record))
		result = add(findings_group(findings, "FH007", "foreign-handle", FORKHELD_LEVEL_WARNING, NULL, handler, NULL),
			     record);
	if (result == 0 && (record->in_handler || (handler && handler_in_fork(record)))) {
		struct frame site = registration_site(record);
		const char *name = handler ? handler : site_name(&site, record);
		result = add(findings_group(findings, "FH008", "registered-in-handler", FORKHELD_LEVEL_WARNING, NULL, name,
					    NULL), record);
	}
	return result;
}

/* dlclose inside a handler: no registration is its cause, the library is. */
static int closings(struct findings *findings)
{
	for (uint32_t i = 0; i < closings_count(); i++) {
		const struct closing *closing = closings_get(i);
		if (!closing_in_fork(closing))
			continue;
		const char *module = module_name(closing->module);
		char text[1024];
		snprintf(text, sizeof text, "dlclose of %s", module ? module : "a library");
		struct finding *finding = findings_group(findings, "FH008", "registered-in-handler", FORKHELD_LEVEL_WARNING,
							 NULL, strings_intern(text), NULL);
		if (!finding)
			return -ENOMEM;
		finding->count++;
	}
	return 0;
}

static void explain(struct finding *finding)
{
	char text[2048];
	const char *name = finding->callable ? finding->callable : "?", *plural = finding->count == 1 ? "" : "s";
	if (strcmp(finding->rule, "FH004") == 0) {
		snprintf(text, sizeof text, "%" PRIu64 " fork handlers registered at one place, %s: each runs at every fork,"
			 " and none can be taken back", finding->count, name);
		finding->fix = "register once, outside the constructor or function that runs often, over a WeakSet or a list";
	} else if (strcmp(finding->rule, "FH006") == 0) {
		snprintf(text, sizeof text, "%" PRIu64 " fork handler%s %s: the code is no longer mapped there; the next fork"
			 " jumps into it", finding->count, plural, name);
		finding->fix = "register through pthread_atfork linked into the library itself, so that dlclose removes the"
			       " handler, or never unload the library";
	} else if (strcmp(finding->rule, "FH007") == 0) {
		snprintf(text, sizeof text, "%" PRIu64 " fork handler%s %s registered under another module's handle:"
			 " dlclose will not remove it", finding->count, plural, name);
		finding->fix = "register the handler from the library that it lies in";
	} else {
		snprintf(text, sizeof text, "%" PRIu64 " time%s while a fork handler ran: %s"
			 " (glibc 2.28 to 2.35 and musl can hang)",
			 finding->count, plural, name);
		finding->fix = "register and unload outside fork handlers";
	}
	finding->message = strings_intern(text);
}

static bool listed(const struct registration *record)
{
	return record->removed == REMOVED_NOT && !record->baseline;
}

/* Groups that stayed within the limit were no repetition. */
static void drop_rare(struct findings *findings, uint32_t first)
{
	uint32_t kept = first;
	for (uint32_t i = first; i < findings->count; i++) {
		struct finding *finding = &findings->list[i];
		if (finding->count > options.repeat) {
			findings->list[kept++] = *finding;
		} else {
			numbers_free(&finding->registrations);
			numbers_free(&finding->objects);
		}
	}
	findings->count = kept;
}

int findings_ledger(struct findings *findings, const struct analysis *analysis)
{
	uint32_t first = findings->count, count = registrations_count(), next = 0;
	int result = 0;
	for (uint32_t i = 0; i < count && result == 0; i++) {
		const struct registration *record = registrations_get(i);
		const struct heap_registration *found = NULL;
		if (analysis && next < analysis->heap.registration_count &&
		    analysis->heap.registrations[next].record == record)
			found = &analysis->heap.registrations[next++];
		if (listed(record))
			result = repeated(findings, record, found);
	}
	drop_rare(findings, first);
	for (uint32_t i = 0; i < count && result == 0; i++)
		if (listed(registrations_get(i)))
			result = single(findings, registrations_get(i));
	if (result == 0)
		result = closings(findings);
	for (uint32_t i = first; i < findings->count; i++)
		explain(&findings->list[i]);
	return result;
}
