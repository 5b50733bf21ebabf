/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "snapshot/snapshot.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include "base/libc.h"
#include "base/lock.h"
#include "base/options.h"
#include "base/os.h"
#include "ledger/registrations.h"
#include "native/modules.h"
#include "native/threads.h"
#include "python/attach.h"
#include "python/objects.h"
#include "report/file.h"
#include "report/report.h"
#include "report/seen.h"
#include "snapshot/freeze.h"
#include "snapshot/tree.h"

#define SECOND 1000000000u
#define LEDGER_LIMIT_NS ((uint64_t)10 * SECOND)  /* for the second try, which does not look at the heap */
#define LEDGER_MEMORY ((uint64_t)64 << 20)       /* it may have this much, however low the cap */

static struct {
	bool ready, final;        /* final: an end was seen, and its report made */
	uint32_t final_count;     /* registrations there were then */
	pid_t pid;                /* of the process that this state speaks of; another one is a vfork's child */
	uint32_t sequence;
	uint64_t start_ns;
	struct lock lock;
	struct freeze *running;   /* for an end that comes from a signal handler */
	struct report_file file;
} state;

void snapshot_init(void)
{
	/* A setuid program: the one who set the environment must not have files written in another's name. */
	if (getauxval(AT_SECURE))
		return;
	tree_init();
	file_init();
	state.pid = os_getpid();
	state.start_ns = os_realtime_ns();
	state.ready = true;
}

void snapshot_child(bool successor)
{
	if (!successor)
		tree_child();
	seen_child();
	lock_reset(&state.lock);
	state.running = NULL;
	state.final = false;
	state.sequence = 0;
	state.start_ns = os_realtime_ns();
	state.pid = os_getpid();
}

bool snapshot_before_leaving(void)
{
	return state.ready && os_getpid() == state.pid && file_hold();
}

void snapshot_after_leaving(void)
{
	file_let_go();
}

/* A program that embeds Python lives on after the interpreter's end, which looks like the program's own: what registers
 * later (another interpreter first of all) is worth another report. */
static bool ended(enum snapshot_trigger trigger)
{
	return trigger != TRIGGER_API && state.final && state.final_count == registrations_count();
}

static bool due(enum snapshot_trigger trigger)
{
	if (trigger == TRIGGER_API || options.report == REPORT_ALWAYS)
		return true;
	if (options.report == REPORT_FINDINGS)
		return registrations_count() > 0;
	return tree_root() || registrations_own() > 0;
}

/* The report is about to be written, pause_ns with it. */
static int open_file(void *file)
{
	freeze_await_pause();
	return file_open(file);
}

static int work(void *argument)
{
	struct report_request *request = argument;
	int result;

	request->shared_pause_ns = freeze_shared_pause();
	request->halted = freeze_halted();
	objects_freeze(true);
	result = report_make(request);
	/* Done in place, where no copy can be made: the process goes on if its exec fails. */
	objects_freeze(false);
	return result;
}

/* Why Python is not looked at, or NULL. */
static const char *python_reason(bool with_python)
{
	if (with_python || !python_present())
		return NULL;
	if (!python_here())
		return "this process was forked without Python's knowledge";
	return "at this end Python could not be looked at: it is finalised, or this thread does not hold its lock";
}

static void death_reason(char *text, size_t room, const struct freeze_outcome *outcome)
{
	switch (outcome->result) {
	case FREEZE_TIMEOUT:
		snprintf(text, room, "the analysis took longer than %llu s", (unsigned long long)options.timeout);
		break;
	case FREEZE_MEMORY:
		snprintf(text, room, "the analysis ran out of memory (cap %llu bytes)",
			 (unsigned long long)options.memory);
		break;
	default:
		snprintf(text, room, "the analysis died (signal %d)", outcome->status);
	}
}

/* Return: 0, or a negative errno: no copy could be made. */
static int attempt(struct report_request *request, uint64_t limit_ns, uint64_t memory, int *token,
		   struct freeze_outcome *outcome)
{
	bool stop = options.stop && !request->alone && report_looks_around(request);
	int error = freeze_start(work, request, state.file.directory, memory, stop, &state.running);

	/* The copy has what it needs; nobody else has to wait for the GIL. */
	python_unlock(*token);
	*token = -1;
	if (error < 0)
		return error;
	freeze_wait(&state.running, limit_ns, outcome);
	if (outcome->result != FREEZE_DONE)
		file_discard(&state.file);
	return 0;
}

/* The copy first; if it dies, a second one that leaves the heap alone; where there can be none, here. */
static int make(struct report_request *request, bool end, int *token)
{
	struct freeze_outcome outcome;
	uint64_t memory = options.memory;
	char reason[96];
	int error = attempt(request, options.timeout * SECOND, memory, token, &outcome);

	if (error == 0 && outcome.result == FREEZE_DONE)
		return outcome.status;
	if (error == 0) {
		death_reason(reason, sizeof(reason), &outcome);
		request->reason = reason;
		request->ledger_only = true;
		request->with_python = false;
		memory = memory && memory < LEDGER_MEMORY ? LEDGER_MEMORY : memory;
		error = attempt(request, LEDGER_LIMIT_NS, memory, token, &outcome);
		if (error == 0)
			return outcome.result == FREEZE_DONE && outcome.status < 0 ? outcome.status : -ETIMEDOUT;
	}
	if (!end)
		return error;
	request->in_place = true;
	return freeze_in_place(work, request, memory);
}

static int take(enum snapshot_trigger trigger, const char *label, int *token, uintptr_t host_sp)
{
	static const char *const names[] = { "exit", "_exit", "exec", "api" };
	bool with_python = python_can_look() && python_here();
	struct report_request request = {
		.trigger = names[trigger],
		.label = label,
		.sequence = ++state.sequence,
		.pid = state.pid,
		.ppid = (int32_t)os_call(SYS_getppid, 0, 0, 0, 0, 0, 0),
		.alone = threads_alone(),
		.host_sp = host_sp,
		.with_python = with_python,
		.reason = python_reason(with_python),
		.findings_only = options.report == REPORT_FINDINGS && trigger != TRIGGER_API,
		.start_time_ns = state.start_ns,
		.open = open_file,
		.close = file_close,
		.file = &state.file,
	};
	int result = file_prepare(&state.file, state.pid, request.sequence);

	if (result < 0)
		return result;
	modules_refresh();
	libc_learn();
	seen_prepare();
	result = make(&request, trigger != TRIGGER_API, token);
	/* An exec that fails goes on; so the final report of this image is still to come. */
	if (trigger == TRIGGER_EXIT || trigger == TRIGGER__EXIT)
		state.final = true, state.final_count = registrations_count();
	return result < 0 ? result : 0;
}

/* The registers that the host's functions want back are pushed right below this frame's pointer (__builtin_unwind_init
 * has all of them pushed); on aarch64 GCC puts them above it. Further down there are words that earlier calls left in
 * buffers of ours. Of other compilers it is not known. */
#if defined(__x86_64__)
#define REGISTERS_KEPT 6u
#elif defined(__aarch64__) && !defined(__clang__)
#define REGISTERS_KEPT 0u
#endif

__attribute__((noinline)) int snapshot_take(enum snapshot_trigger trigger, const char *label)
{
#ifdef REGISTERS_KEPT
	uintptr_t host_sp = (uintptr_t)__builtin_frame_address(0) - REGISTERS_KEPT * sizeof(uintptr_t);
#else
	uintptr_t host_sp = 0; /* they may be anywhere in the frame: all of the stack */
#endif
	int saved = errno, token = -1, result = 0;
	bool api = trigger == TRIGGER_API;

	__builtin_unwind_init();
	if (!state.ready || freeze_inside() || os_getpid() != state.pid)
		return api ? -EAGAIN : 0;
	/* Before our lock: a thread with the GIL may be waiting for that one. */
	if (api)
		token = python_lock();
	if (!lock_take(&state.lock)) {
		/* A signal handler in the middle of a snapshot. An end would take the copy with it, also one that is not
		 * worth a report of its own. */
		if (state.running && !api)
			freeze_join(state.running, options.timeout * SECOND);
		result = -EBUSY;
	} else {
		if (!ended(trigger) && due(trigger))
			result = take(trigger, label, &token, host_sp);
		lock_release(&state.lock);
	}
	python_unlock(token);
	errno = saved;
	return result;
}
