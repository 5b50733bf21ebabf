/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"

#include <errno.h>
#include <stdio.h>

#include "base/options.h"
#include "base/os.h"
#include "ledger/blocks.h"
#include "ledger/registrations.h"
#include "native/halted.h"
#include "native/handlers.h"
#include "native/modules.h"
#include "native/threads.h"
#include "python/attach.h"
#include "python/datastack.h"
#include "python/interpreters.h"
#include "report/holders.h"
#include "report/seen.h"
#include "report/write.h"
#include "retention/path.h"

static const char unreadable[] = "memory that should have been readable was not";

static const char *analyse(struct material *material, struct analysis *analysis)
{
	static char text[96];
	const struct report_request *request = material->request;
	if (!python_present())
		return NULL;
	if (attach_problem())
		return NULL;  /* said in capabilities; the native part is complete */
	if (request->ledger_only)
		return request->reason ? request->reason : "the analysis was not possible";
	if (!request->with_python)
		return "the interpreter could not be looked at: it had ended, or this thread did not hold the GIL";
	int result = analysis_run(analysis);
	if (result == 0) {
		analysis->frozen = !request->in_place;
		material->analysis = analysis;
		material->search = holders_search(analysis);
		result = choose_objects(material);
	}
	if (result == 0) {
		place_objects(material);
		if (!find_carefully(material, find_beneath)) {
			material->beneath = NULL;
			material->beneath_problem = unreadable;
		}
		return NULL;
	}
	material->analysis = NULL;
	/* Not strerror: another thread may have held the lock of libc's translations. */
	snprintf(text, sizeof text, "the analysis of the Python heap failed: %s (error %d)",
		 result == -ENOMEM ? "out of memory" : "inconsistent heap", -result);
	return text;
}

/* In place other threads go on: a block could be gone before its size is read. */
static void look_at_blocks(struct material *material, struct allocations *allocations)
{
	const struct report_request *request = material->request;
	bool none = false;
	const char *lack = blocks_state(&none);
	if (options.alloc == ALLOC_OFF)
		return;
	if (request->ledger_only)
		material->allocations_problem = request->reason ? request->reason : "the analysis was not possible";
	else if (request->in_place && !threads_alone())
		material->allocations_problem = "no copy of the process could be made, and it has several threads";
	else if (lack && none && !python_present())
		material->allocations_problem = lack;
	else if (allocations_sum(allocations) < 0)
		material->allocations_problem = "the blocks could not be summed up: out of memory";
	else
		material->allocations = allocations;
}

static int publish(struct material *material)
{
	const struct report_request *request = material->request;
	int fd = request->open(request->file);
	if (fd < 0)
		return fd;
	int result = write_report(material, fd);
	int closed = request->close(request->file, fd, result == 0);
	return result < 0 ? result : closed < 0 ? closed : 1;
}

bool report_looks_around(const struct report_request *request)
{
	return options.alloc == ALLOC_ALL && !options.sample && !request->ledger_only &&
	       (registrations_count() > 0 || options.leaks);
}

static void cut(void *roots, uintptr_t start, uintptr_t end)
{
	roots_cut(roots, start, end);
}

/* Where a pointer may lie. Before the copy's own heap grows. */
static struct roots *look_around(const struct report_request *request, bool python)
{
	static struct roots roots;
	if (!report_looks_around(request))
		return NULL;
	const struct halted *halted = halted_held(request->halted) ? request->halted : NULL;
	if (roots_read(&roots, request->host_sp, halted) < 0)
		return NULL;
	if (python)
		datastack_rests(cut, &roots);
	return &roots;
}

int report_make(const struct report_request *request)
{
	struct analysis analysis = {0};
	struct findings findings = {0};
	struct allocations allocations = {0};
	struct material material = {.request = request, .findings = &findings, .start_ns = os_monotonic_ns()};
	bool python = request->with_python && !attach_problem();
	__builtin_unwind_init();
	material.roots = look_around(request, python);
	ledger_thaw();
	look_at_blocks(&material, &allocations);
	if (python && interpreters_count() == 0)
		interpreters_late();
	bool collecting = python && interpreters_pause_gc();
	material.retention_problem = analyse(&material, &analysis);
	handlers_settle();
	if (!find_carefully(&material, find_kept)) {
		material.kept = NULL;
		material.kept_problem = unreadable;
		material.blocks_listed = 0;
	}
	if (!find_carefully(&material, find_leaks))
		material.leaks = NULL;
	int result = findings_make(&findings, material.analysis, material.search, material.kept);
	seen_note(&findings);
	if (result == 0 && !(request->findings_only && findings.count == 0))
		result = publish(&material);
	if (collecting)
		interpreters_resume_gc();
	/* The copy ends here; in place the arena goes as a whole: nothing is worth freeing one by one. */
	return result;
}
