/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PTRACE_SEIZE and PTRACE_INTERRUPT. Stops are looked at and not taken (WNOWAIT): the kernel then still knows of a
 * signal that it has stopped a thread with, and delivers it when the tracer ends.
 */
#define _GNU_SOURCE
#include "snapshot/tracer.h"
#include <elf.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include "base/raw.h"
#include "snapshot/tasks.h"

#define STOP_LIMIT_NS 100000000u     /* for all of them */
#define DEEP_LIMIT_NS 5000000u       /* where those that are missing sleep so that nothing wakes them */
#define LEAVE_LIMIT_NS 100000000u
#define HOLD_LIMIT_NS 60000000000u   /* a copy of a terabyte takes half of that */
#define LOOK_NS 20000000u
#define NAP_NS 50000
#define REFUSALS 3u                  /* one after the other, at the beginning: nobody is allowed */
#define REGISTERS_LEAST ((size_t)5120)

#ifndef NT_ARM_TLS
#define NT_ARM_TLS 0x401
#endif
#ifndef NT_ARM_SVE
#define NT_ARM_SVE 0x405
#endif
#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

enum {
	STATE_MET,       /* seized */
	STATE_RUNS,      /* told to stop */
	STATE_STANDS,    /* registers read */
	STATE_LEFT,      /* not told to, as its call would come out short */
	STATE_REFUSED,
	STATE_GONE,
};

#if defined(__x86_64__)
#define WORD_SP 19u
#define WORD_TP 21u
#define RED_ZONE 128u
static const int vectors[] = { NT_X86_XSTATE, NT_PRFPREG };
#else
#define WORD_SP 31u
#define RED_ZONE 0u
static const int vectors[] = { NT_ARM_SVE, NT_PRFPREG };
#endif

static long ptrace_call(int request, pid_t tid, long address, long data)
{
	return raw_call(SYS_ptrace, request, tid, address, data, 0, 0);
}

static uint64_t now_ns(void)
{
	struct timespec now = { 0, 0 };

	raw_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0, 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void nap(void)
{
	struct timespec pause = { 0, NAP_NS };

	raw_call(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
}

static void set_phase(struct tracer *tracer, enum tracer_phase phase)
{
	enum { WAKE_PRIVATE = 1 | 128 };

	__atomic_store_n(&tracer->phase, phase, __ATOMIC_RELEASE);
	raw_call(SYS_futex, (long)&tracer->phase, WAKE_PRIVATE, INT32_MAX, 0, 0, 0);
}

/* Return: false if it is of no use to wait any longer: the one thread has itself been stopped, or is gone. */
static bool await_order(struct tracer *tracer, uint32_t order, uint64_t limit_ns)
{
	enum { WAIT_PRIVATE = 128 };
	struct timespec slice = { 0, LOOK_NS };
	uint64_t deadline = now_ns() + limit_ns;
	uint32_t seen;

	while ((seen = __atomic_load_n(&tracer->order, __ATOMIC_ACQUIRE)) < order) {
		char state;

		if (raw_call(SYS_futex, (long)&tracer->order, WAIT_PRIVATE, seen, (long)&slice, 0, 0) != -ETIMEDOUT)
			continue;
		state = tasks_state(tracer->process, tracer->thread);
		if (!state || strchr("TZXx", state) || now_ns() >= deadline)
			return false;
	}
	return true;
}

/* Return: 0 or a negative errno. */
static long seize(struct tracer *tracer, pid_t tid)
{
	long result = ptrace_call(PTRACE_SEIZE, tid, 0, 0);

	if (result != -EPERM || tracer->leave_asked || tasks_bystander(tracer->process, tid) || !tasks_yama())
		return result;
	tracer->leave_asked = true;
	set_phase(tracer, TRACER_WANTS_LEAVE);
	if (!await_order(tracer, TRACER_LEAVE_GIVEN, LEAVE_LIMIT_NS))
		return result;
	return ptrace_call(PTRACE_SEIZE, tid, 0, 0);
}

/* Threads are always listed in the same order. */
static bool known(struct tracer *tracer, pid_t tid)
{
	for (uint32_t i = 0; i < tracer->count; i++) {
		uint32_t at = (tracer->hint + i) % tracer->count;

		if (tracer->threads[at].tid != tid)
			continue;
		tracer->hint = at + 1;
		return true;
	}
	return false;
}

static void refuse(struct tracer *tracer, pid_t tid, long error)
{
	struct halted *halted = tracer->halted;

	if (halted->problem != HALTED_FINE)
		return;
	halted->problem = tasks_traced(tracer->process, tid) ? HALTED_TRACED : HALTED_REFUSED;
	halted->error = halted->problem == HALTED_TRACED ? 0 : (int32_t)-error;
}

/* Return: 1 a thread not met before, 0 nothing of the kind. */
static unsigned meet(struct tracer *tracer, pid_t tid)
{
	long result;
	int state = STATE_MET;

	if (tid == tracer->thread || known(tracer, tid))
		return 0;
	/* Is it really one of those? The list may speak in numbers of another namespace. */
	if (raw_call(SYS_tgkill, tracer->process, tid, 0, 0, 0, 0) < 0)
		return 0;
	if (tracer->count == tracer->room) {
		tracer->more = true;
		return 0;
	}
	result = seize(tracer, tid);
	if (result == -ESRCH || (result < 0 && tasks_bystander(tracer->process, tid)))
		return 0;
	if (result < 0) {
		refuse(tracer, tid, result);
		state = STATE_REFUSED;
	} else if (tasks_writing(tracer->process, tid)) {
		state = STATE_LEFT;
	}
	tracer->threads[tracer->count++] = (struct tracer_thread){ .tid = tid, .state = state };
	return 1;
}

static bool refused_by_all(const struct tracer *tracer)
{
	for (uint32_t i = 0; i < REFUSALS; i++)
		if (i >= tracer->count || tracer->threads[i].state != STATE_REFUSED)
			return false;
	return true;
}

static bool use_task(void *tracer_pointer, pid_t tid)
{
	struct tracer *tracer = tracer_pointer;

	tracer->found += meet(tracer, tid);
	return !refused_by_all(tracer);
}

/* seize_new - all that have not been met. Return: how many, or a negative errno. */
static long seize_new(struct tracer *tracer)
{
	long result;

	tracer->hint = 0;
	tracer->found = 0;
	result = tasks_list(tracer->process, use_task, tracer);
	return result < 0 ? result : tracer->found;
}

/* All at once: from the first on the process stands still in part. */
static void interrupt_new(struct tracer *tracer)
{
	for (uint32_t i = 0; i < tracer->count; i++) {
		if (tracer->threads[i].state != STATE_MET)
			continue;
		if (!tracer->began_ns)
			tracer->began_ns = now_ns();
		tracer->threads[i].state = STATE_RUNS;
		ptrace_call(PTRACE_INTERRUPT, tracer->threads[i].tid, 0, 0);
	}
}

/* Return: the bytes, 0 if they could not be read. */
static size_t read_set(pid_t tid, int type, void *memory, size_t room)
{
	struct iovec part = { memory, room };

	return ptrace_call(PTRACE_GETREGSET, tid, type, (long)&part) < 0 ? 0 : part.iov_len;
}

static void read_registers(struct tracer *tracer, pid_t tid)
{
	struct halted *halted = tracer->halted;
	const uint64_t *general = (const uint64_t *)(halted->words + halted->used);
	struct halted_thread *thread = &halted->threads[halted->count];
	size_t size, vector = 0;

	if (halted->room - halted->used < REGISTERS_LEAST)
		return;
	size = read_set(tid, NT_PRSTATUS, halted->words + halted->used, halted->room - halted->used);
	if (size <= WORD_SP * sizeof(*general))
		return;
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]) && !vector; i++)
		vector = read_set(tid, vectors[i], halted->words + halted->used + size, REGISTERS_LEAST - size);
	if (!vector)
		return;
	thread->sp = general[WORD_SP] - RED_ZONE;
#ifdef WORD_TP
	thread->tp = general[WORD_TP];
#else
	thread->tp = 0;
	read_set(tid, NT_ARM_TLS, &thread->tp, sizeof(thread->tp));
#endif
	halted->used += (size + vector + sizeof(*general) - 1) & ~(sizeof(*general) - 1);
	halted->count++;
}

/* Has it stopped, and for what? */
static void look_at(struct tracer *tracer, struct tracer_thread *thread)
{
	siginfo_t info = { 0 };
	long result = raw_call(SYS_waitid, P_PID, thread->tid, (long)&info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL,
			       0, 0);

	if (result == 0 && info.si_pid == 0)
		return;
	if (result == 0 && info.si_code == CLD_TRAPPED) {
		thread->state = STATE_STANDS;
		read_registers(tracer, thread->tid);
		return;
	}
	if (result == 0)
		raw_call(SYS_waitid, P_PID, thread->tid, (long)&info, WEXITED | WNOHANG | __WALL, 0, 0);
	thread->state = STATE_GONE;
}

/* Return: does one still run that could stop? @deep: do not count such as nothing wakes. */
static bool still_running(struct tracer *tracer, bool deep)
{
	bool running = false;

	for (uint32_t i = 0; i < tracer->count; i++) {
		struct tracer_thread *thread = &tracer->threads[i];

		if (thread->state == STATE_RUNS)
			look_at(tracer, thread);
		if (thread->state == STATE_RUNS && !running)
			running = !deep || tasks_state(tracer->process, thread->tid) != 'D';
	}
	return running;
}

/* hold - until no more are found. Return: false if it is not to be had. */
static bool hold(struct tracer *tracer)
{
	struct halted *halted = tracer->halted;
	uint64_t waited = 0;
	long found;
	bool stands = false;

	do {
		found = seize_new(tracer);
		interrupt_new(tracer);
		while (still_running(tracer, waited > DEEP_LIMIT_NS) && waited < STOP_LIMIT_NS) {
			nap();
			waited = now_ns() - tracer->began_ns;
		}
	} while (found > 0 && waited < STOP_LIMIT_NS);
	if (found < 0) {
		halted->problem = HALTED_NO_LIST;
		halted->error = (int32_t)-found;
		return false;
	}
	/* Also if there was no time to see that there are no new ones. */
	halted->others = tracer->more || found > 0;
	for (uint32_t i = 0; i < tracer->count; i++) {
		halted->others += tracer->threads[i].state != STATE_GONE;
		stands |= tracer->threads[i].state == STATE_STANDS;
	}
	return stands || halted->problem == HALTED_FINE;
}

/* A core of this process would be one of the host's, and take the host with it on kernels before 5.16. */
static bool settle_in(const struct tracer *tracer)
{
	struct rlimit limit = { 1, 1 };

	raw_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
	if ((pid_t)raw_call(SYS_getppid, 0, 0, 0, 0, 0, 0) != tracer->process)
		return false;
	raw_call(SYS_prctl, PR_SET_NAME, (long)"forkheld", 0, 0, 0, 0);
	raw_call(SYS_prlimit64, 0, RLIMIT_CORE, (long)&limit, 0, 0, 0);
	if (raw_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0) == 0) {
		limit.rlim_cur = limit.rlim_max;
		raw_call(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&limit, 0, 0, 0);
	}
	return true;
}

int tracer_run(void *tracer_pointer)
{
	struct tracer *tracer = tracer_pointer;
	bool held = settle_in(tracer) && hold(tracer);

	if (held) {
		set_phase(tracer, TRACER_HOLDS);
		held = await_order(tracer, TRACER_LET_GO, HOLD_LIMIT_NS);
	}
	halted_settle(tracer->halted, held ? HALTED_HELD : HALTED_VOID);
	tracer->ended_ns = now_ns();
	set_phase(tracer, TRACER_GIVES_UP);
	/* The kernel lets them go, all in one go: one after the other, the first would take the processor from this one. */
	for (;;)
		raw_call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}
