/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "snapshot/stop.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "base/os.h"
#include "base/raw.h"
#include "native/threads.h"

#define STACK ((size_t)32768)
#define SPARE_THREADS 64u          /* made while the others are looked for */
#define THREADS_MOST 16384u
#define REGISTERS 5632u            /* bytes for each */
#define BEGIN_LIMIT_NS 1000000000u /* the tracer's own is far shorter */
#define SLICE_NS 10000000u

/* Does /proc know this process by that number? It may be one of another pid namespace. */
static bool listed_as(pid_t process)
{
	char text[24];
	long length = os_call(SYS_readlinkat, AT_FDCWD, (long)"/proc/self", (long)text, sizeof(text), 0, 0);
	pid_t number = 0;

	for (long i = 0; i < length; i++)
		number = number * 10 + (text[i] - '0');
	return length > 0 && number == process;
}

/* Some filters of system calls kill, and a process that dies of one leaves a core, which on kernels before 5.16 takes
 * all with it that share its memory. So a copy tries first. By restart_syscall an interrupted call is gone on with. */
static bool filter_forbids(void)
{
	long pid;
	int status = 0;

	if (raw_call(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0, 0) == 0)
		return false;
	pid = raw_call(SYS_clone, 0, 0, 0, 0, 0, 0);
	if (pid == 0) {
		struct rlimit limit = { 1, 1 };

		raw_call(SYS_prlimit64, 0, RLIMIT_CORE, (long)&limit, 0, 0, 0);
		bool good = raw_call(SYS_ptrace, PTRACE_SEIZE, 0, 0, 0, 0, 0) == -ESRCH &&
			    raw_call(SYS_restart_syscall, 0, 0, 0, 0, 0, 0) == -EINTR;

		for (;;)
			raw_call(SYS_exit_group, good ? 0 : 1, 0, 0, 0, 0, 0);
	}
	if (pid < 0)
		return true;
	while (raw_call(SYS_wait4, pid, (long)&status, __WALL, 0, 0, 0) == -EINTR)
		;
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void fail(struct halted *halted, enum halted_problem problem, int error)
{
	halted->problem = problem;
	halted->error = error;
	halted_settle(halted, HALTED_VOID);
}

/* Memory for the copy is shared with it, so that a verdict reaches it; what the tracer works with is not. */
static bool make_room(struct stop *stop)
{
	uint32_t room = threads_count();

	room = (room < THREADS_MOST ? room + room / 8 : THREADS_MOST) + SPARE_THREADS;
	stop->halted_size = sizeof(*stop->halted) + room * (sizeof(struct halted_thread) + REGISTERS);
	stop->halted = os_map_shared(stop->halted_size);
	if (!stop->halted)
		return false;
	stop->halted->words = (char *)&stop->halted->threads[room];
	stop->halted->room = room * (size_t)REGISTERS;
	stop->tracer_size = STACK + sizeof(*stop->tracer) + room * sizeof(struct tracer_thread);
	stop->tracer = os_map(stop->tracer_size);
	if (stop->tracer)
		*stop->tracer = (struct tracer){
			.halted = stop->halted, .process = os_getpid(), .thread = os_gettid(), .room = room,
			.threads = (struct tracer_thread *)(stop->tracer + 1),
		};
	return true;
}

/* Yama lets a process trace its descendants, and such as it is named to. What the host has named before is not to be
 * learned; the kernel forgets this one when the tracer ends. */
static void give_leave(struct stop *stop)
{
	os_call(SYS_prctl, PR_SET_PTRACER, stop->pid, 0, 0, 0, 0);
	__atomic_store_n(&stop->tracer->order, TRACER_LEAVE_GIVEN, __ATOMIC_RELEASE);
	os_wake(&stop->tracer->order, false);
}

static bool ended(const struct stop *stop)
{
	siginfo_t info = { 0 };

	return os_call(SYS_waitid, P_PID, stop->pid, (long)&info, WEXITED | WNOHANG | WNOWAIT | __WALL, 0, 0) < 0 ||
	       info.si_pid != 0;
}

static void await_tracer(struct stop *stop)
{
	uint64_t deadline = os_monotonic_ns() + BEGIN_LIMIT_NS;
	uint32_t phase;

	while ((phase = __atomic_load_n(&stop->tracer->phase, __ATOMIC_ACQUIRE)) < TRACER_HOLDS) {
		if (phase == TRACER_WANTS_LEAVE && stop->tracer->order == TRACER_NONE)
			give_leave(stop);
		if (os_wait(&stop->tracer->phase, phase, SLICE_NS, false) != -ETIMEDOUT)
			continue;
		if (os_monotonic_ns() < deadline && !ended(stop))
			continue;
		/* The kernel lets go all that it held. */
		os_call(SYS_kill, stop->pid, SIGKILL, 0, 0, 0, 0);
		fail(stop->halted, HALTED_DIED, 0);
		return;
	}
}

void stop_begin(struct stop *stop)
{
	int saved = errno;

	*stop = (struct stop){ .pid = -1 };
	if (!make_room(stop))
		return;
	if (!stop->tracer) {
		fail(stop->halted, HALTED_NO_CHILD, ENOMEM);
	} else if (!RAW_CALLS) {
		fail(stop->halted, HALTED_NO_CHILD, ENOSYS);
	} else if (!listed_as(stop->tracer->process)) {
		fail(stop->halted, HALTED_NO_LIST, 0);
	} else if (filter_forbids()) {
		fail(stop->halted, HALTED_SECCOMP, 0);
	} else {
		/* Exit signal 0, like the copy's. */
		stop->pid = clone(tracer_run, (char *)stop->tracer + stop->tracer_size, CLONE_VM, stop->tracer);
		if (stop->pid < 0)
			fail(stop->halted, HALTED_NO_CHILD, errno);
		else
			await_tracer(stop);
	}
	errno = saved;
}

uint64_t stop_end(struct stop *stop)
{
	uint64_t stood = 0;

	if (stop->pid > 0) {
		__atomic_store_n(&stop->tracer->order, TRACER_LET_GO, __ATOMIC_RELEASE);
		os_wake(&stop->tracer->order, false);
		/* By an end of its own it leaves ECHILD at worst: another thread of the host's (with __WALL) was first. */
		while (os_call(SYS_wait4, stop->pid, 0, __WALL, 0, 0, 0) == -EINTR)
			;
		halted_settle(stop->halted, HALTED_VOID);
		if (stop->tracer->began_ns && stop->tracer->ended_ns)
			stood = stop->tracer->ended_ns - stop->tracer->began_ns;
	}
	if (stop->halted)
		os_unmap(stop->halted, stop->halted_size);
	if (stop->tracer)
		os_unmap(stop->tracer, stop->tracer_size);
	return stood;
}
