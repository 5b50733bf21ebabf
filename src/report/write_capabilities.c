/* SPDX-License-Identifier: Apache-2.0 */
/* What could be looked at, and why not. */
#include <inttypes.h>
#include <stdio.h>

#include "base/options.h"
#include "forkheld/report.h"
#include "ledger/blocks.h"
#include "ledger/traces.h"
#include "native/halted.h"
#include "native/trace.h"
#include "native/unwind.h"
#include "python/attach.h"
#include "python/interpreters.h"
#include "python/objects.h"
#include "report/json.h"
#include "report/write.h"

struct capability {
	const char *state, *reason;
};

static struct capability have(const char *problem)
{
	return problem ? (struct capability){"none", problem} : (struct capability){"full", NULL};
}

static struct capability lack(const char *reason)
{
	return reason ? (struct capability){"partial", reason} : have(NULL);
}
static struct capability python_registrations(const struct material *material)
{
	if (!python_present())
		return have("no Python in this process");
	if (attach_problem())
		return have(attach_problem());
	for (uint32_t i = 0; i < interpreters_count(); i++)
		if (interpreters_get(i)->problem && !interpreters_get(i)->ended)
			return (struct capability){"partial", interpreters_get(i)->problem};
	if (interpreters_count() == 0)
		return have("the interpreter was not seen starting");
	if (!material->analysis)
		return (struct capability){"partial", "the interpreter's own lists could not be read at this end"};
	return have(NULL);
}

static struct capability python_retention(const struct material *material)
{
	static char text[128];
	if (!python_present())
		return have("no Python in this process");
	if (!material->analysis)
		return have(material->retention_problem ? material->retention_problem : material->request->reason);
	if (material->analysis->heap.hidden) {
		snprintf(text, sizeof text, "gc.freeze() hides %llu objects from the analysis",
			 (unsigned long long)material->analysis->heap.hidden);
		return (struct capability){"partial", text};
	}
	return have(NULL);
}

static struct capability isolation(const struct material *material)
{
	if (material->request->in_place)
		return (struct capability){"none", "no copy of the process could be made: analysed in place"};
	return have(NULL);
}

/* Why there is nothing about blocks at all, or NULL. */
static const char *no_blocks(const struct material *material)
{
	if (options.alloc == ALLOC_OFF)
		return "option alloc=off";
	return material->allocations ? NULL : material->allocations_problem;
}

/* Blocks that an option leaves out; without a Python, alloc=native leaves out nothing. */
static const char *left_out(void)
{
	static char text[96];
	if (options.alloc == ALLOC_PYTHON)
		return "option alloc=python: the malloc family's blocks are not recorded";
	if (options.alloc == ALLOC_NATIVE && python_present())
		return "option alloc=native: the blocks of CPython's allocators are not recorded";
	if (options.sample == 0)
		return NULL;
	snprintf(text, sizeof text, "option sample=%" PRIu64 ": about one allocation in so many bytes is recorded",
		 options.sample);
	return text;
}

const char *blocks_lacking(const struct material *material)
{
	static char text[96];
	bool none;
	if (no_blocks(material))
		return no_blocks(material);
	if (left_out())
		return left_out();
	if (blocks_state(&none))
		return blocks_state(&none);
	if (blocks_lost() == 0)
		return NULL;
	snprintf(text, sizeof text, "%" PRIu64 " blocks could not be recorded", blocks_lost());
	return text;
}

static struct capability blocks(const struct material *material)
{
	return no_blocks(material) ? have(no_blocks(material)) : lack(blocks_lacking(material));
}

/* What holds for all stacks of allocations. */
static const char *cut_stacks(void)
{
	static char text[96];
	if (traces_lost()) {
		snprintf(text, sizeof text, "%" PRIu64 " frames could not be recorded", traces_lost());
		return text;
	}
	if (options.frames == OPTIONS_FRAMES_MOST)
		return NULL;
	snprintf(text, sizeof text, "option frames=%" PRIu64, options.frames);
	return text;
}

static struct capability blocks_stacks(const struct material *material)
{
	if (no_blocks(material))
		return have(no_blocks(material));
	return lack(trace_state() ? trace_state() : cut_stacks());
}

static struct capability objects_stacks(const struct material *material)
{
	if (!python_present())
		return have("no Python in this process");
	if (no_blocks(material))
		return have(no_blocks(material));
	if (attach_problem())
		return have(attach_problem());
	if (options.alloc == ALLOC_NATIVE)
		return have("option alloc=native");
	if (objects_state())
		return lack(objects_state());
	return lack(options.sample ? left_out() : cut_stacks());
}

/* Whose code could not be followed, or NULL. */
static const char *unread_code(const struct kept *kept)
{
	static char text[96];
	if (!kept->slots.unread)
		return NULL;
	snprintf(text, sizeof text, "the code of %" PRIu32 " native fork handlers, or parts of it, could not be read",
		 kept->slots.unread);
	return text;
}

/* Or NULL: where nobody looks for pointers, none is missed. */
static const char *missing_registers(const struct report_request *request)
{
	if (request->alone || !report_looks_around(request))
		return NULL;
	return options.stop ? halted_reason(request->halted)
			    : "option stop=0: registers of other threads are missing; their stacks are taken whole";
}

/* Of two worlds: what native fork handlers hold, and the native memory under Python objects. */
static struct capability native_retention(const struct material *material)
{
	static char text[400];
	bool python = python_present();
	const char *beneath = !python || material->beneath ? NULL
			      : material->beneath_problem ? material->beneath_problem : python_retention(material).reason;
	const char *kept = material->kept ? unread_code(material->kept) : material->kept_problem;
	const char *registers = missing_registers(material->request);
	if (!material->kept && (!python || !material->beneath))
		return have(kept ? kept : beneath);
	snprintf(text, sizeof text, "%s%s%s%s%s", beneath ? beneath : "", beneath && (kept || registers) ? "; " : "",
		 kept ? kept : "", kept && registers ? "; " : "", registers ? registers : "");
	return lack(*text ? text : NULL);
}

json_t *write_capabilities(const struct material *material)
{
#define CAPABILITY_NAME(identifier, name) name,
	static const char *const names[] = {FORKHELD_CAPABILITIES(CAPABILITY_NAME)};
	struct capability states[] = {
		have(NULL),
		have(unwind_state()),
		python_registrations(material),
		python_retention(material),
		blocks(material),
		blocks_stacks(material),
		objects_stacks(material),
		native_retention(material),
		isolation(material),
	};
	json_t *list = json_array();
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		json_t *object = json_object();
		json_set(object, "name", json_string(names[i]));
		json_set(object, "state", json_string(states[i].state));
		json_set(object, "reason", json_text(states[i].reason));
		json_push(list, object);
	}
	return list;
}
