/* SPDX-License-Identifier: Apache-2.0 */
#include "native/halted.h"
#include <stdio.h>
#include <sys/syscall.h>
#include "base/os.h"
#include "base/raw.h"

#define VERDICT_LIMIT_NS 1000000000u

static uint32_t verdict_of(const struct halted *halted)
{
	return __atomic_load_n(&halted->verdict, __ATOMIC_ACQUIRE);
}

bool halted_held(const struct halted *halted)
{
	uint64_t deadline = os_monotonic_ns() + VERDICT_LIMIT_NS, now;

	if (!halted)
		return false;
	while (verdict_of(halted) == HALTED_OPEN && (now = os_monotonic_ns()) < deadline)
		os_wait(&halted->verdict, HALTED_OPEN, deadline - now, true);
	/* One that comes later counts for all who ask: the first to ask may have given up. */
	halted_settle((struct halted *)halted, HALTED_VOID);
	return verdict_of(halted) == HALTED_HELD;
}

void halted_settle(struct halted *halted, enum halted_verdict verdict)
{
	enum { WAKE_SHARED = 1 };
	uint32_t open = HALTED_OPEN;

	/* Raw: the tracer shares a thread's errno. */
	if (__atomic_compare_exchange_n(&halted->verdict, &open, verdict, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		raw_call(SYS_futex, (long)&halted->verdict, WAKE_SHARED, INT32_MAX, 0, 0, 0);
}

const char *halted_reason(const struct halted *halted)
{
	static const char *const problems[] = {
		[HALTED_FINE] = "this process was stopped while the copy was made",
		[HALTED_REFUSED] = "ptrace is refused",
		[HALTED_TRACED] = "another process traces this one",
		[HALTED_SECCOMP] = "a filter of system calls does not let them be stopped",
		[HALTED_NO_LIST] = "there is no list of them",
		[HALTED_NO_CHILD] = "the process that stops them could not be made",
		[HALTED_DIED] = "the process that stops them ended early",
	};
	static char text[192];
	int length;

	if (!halted)
		return "registers of other threads are missing; their stacks are taken whole";
	if (verdict_of(halted) == HALTED_HELD) {
		if (halted->count == halted->others)
			return NULL;
		snprintf(text, sizeof(text), "registers of %u of %u other threads are missing (they were writing, or did not "
			 "stop in time); their stacks are taken whole", halted->others - halted->count, halted->others);
		return text;
	}
	length = snprintf(text, sizeof(text), "registers of other threads are missing (%s", problems[halted->problem]);
	if (halted->error)
		length += snprintf(text + length, sizeof(text) - (size_t)length, ", error %d", halted->error);
	snprintf(text + length, sizeof(text) - (size_t)length, "); their stacks are taken whole");
	return text;
}
