/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "snapshot/freeze.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "base/os.h"
#include "snapshot/copy.h"
#include "snapshot/bump.h"
#include "snapshot/stop.h"

#define SLICE_LEAST_NS 2000000u    /* first look whether the copy still lives; it wakes us itself when it is done */
#define SLICE_MOST_NS 100000000u
#define PAUSE_LIMIT_NS 1000000000u /* the host need only get a processor */
#define REAP_LIMIT_NS 5000000000u  /* a killed copy that hangs in the kernel is left behind after this */

/* One page, shared with the copy. */
struct freeze {
	uint32_t finished;             /* futex word: the copy has said all it will say */
	uint32_t released;             /* futex word: the host runs on, pause_ns is there */
	uint32_t exhausted;            /* it ran out of memory */
	int status;
	int pid;
	volatile uint64_t pause_ns;
	const struct halted *halted;
};

unsigned char freeze_mode;
static __thread bool in_place __attribute__((tls_model("initial-exec")));
static struct freeze *shared;          /* in the copy */

bool freeze_inside(void)
{
	return freeze_mode == FREEZE_MODE_COPY || (freeze_mode == FREEZE_MODE_IN_PLACE && in_place);
}

const volatile uint64_t *freeze_shared_pause(void)
{
	return shared ? &shared->pause_ns : NULL;
}

const struct halted *freeze_halted(void)
{
	return shared ? shared->halted : NULL;
}

void freeze_await_pause(void)
{
	uint64_t deadline = os_monotonic_ns() + PAUSE_LIMIT_NS, now;

	while (shared && !__atomic_load_n(&shared->released, __ATOMIC_ACQUIRE) && (now = os_monotonic_ns()) < deadline)
		os_wait(&shared->released, 0, deadline - now, true);
}

/* The kernel's own call: libc's leaves out the two signals that it keeps for itself. */
static void mask_swap(const uint64_t *set, uint64_t *old)
{
	os_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)set, (long)old, sizeof(*set), 0, 0);
}

static _Noreturn void copy_end(void)
{
	__atomic_store_n(&shared->finished, 1, __ATOMIC_RELEASE);
	os_wake(&shared->finished, true);
	for (;;)
		os_call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

/* An allocation that fails in the middle of the analysis could make a report that looks whole and is not. */
static void copy_exhausted(void)
{
	shared->exhausted = 1;
	copy_end();
}

static _Noreturn void copy_main(int (*work)(void *), void *argument, int keep_fd, uint64_t memory, pid_t parent)
{
	copy_settle(keep_fd, parent);
	bump_open(memory, copy_exhausted);
	freeze_mode = FREEZE_MODE_COPY;
	shared->status = work(argument);
	copy_end();
}

static bool link_text(const char *path, char *text, size_t room, long *length)
{
	*length = os_call(SYS_readlinkat, AT_FDCWD, (long)path, (long)text, (long)room, 0, 0);
	return *length > 0;
}

/* After unshare(CLONE_NEWPID) or setns the next child becomes init of the new namespace, and that namespace dies with
 * it: it must be a child of the host's, not our copy. Before that child the link is there and leads nowhere. Of this
 * thread: the first one, which /proc/self speaks of, may have ended. */
static bool children_go_elsewhere(void)
{
	static const char path[] = "/proc/thread-self/ns/pid_for_children";
	char own[64], children[64];
	struct stat unused;
	long a, b;

	if (!link_text("/proc/thread-self/ns/pid", own, sizeof(own), &a))
		return false;
	if (!link_text(path, children, sizeof(children), &b))
		return os_call(SYS_newfstatat, AT_FDCWD, (long)path, (long)&unused, AT_SYMLINK_NOFOLLOW, 0, 0) == 0;
	return a != b || memcmp(own, children, (size_t)a) != 0;
}

int freeze_start(int (*work)(void *), void *argument, int keep_fd, uint64_t memory, bool stop, struct freeze **freeze)
{
	uint64_t all = UINT64_MAX, old, start, stood;
	struct stop others = { 0 };
	struct freeze *page;
	pid_t parent = os_getpid();
	long pid;

	if (children_go_elsewhere())
		return -EPERM;
	page = os_map_shared(sizeof(*page));
	if (!page)
		return -ENOMEM;
	mask_swap(&all, &old);
	if (stop)
		stop_begin(&others);
	page->halted = others.halted;
	start = os_monotonic_ns();
	/* No flags: a copy of everything, exit signal 0 (no SIGCHLD, not seen by waitpid(-1)), no atfork handlers. */
	pid = os_call(SYS_clone, 0, 0, 0, 0, 0, 0);
	if (pid == 0) {
		shared = page;
		copy_main(work, argument, keep_fd, memory, parent);
	}
	page->pause_ns = os_monotonic_ns() - start;
	if (stop && (stood = stop_end(&others)))
		page->pause_ns = stood;
	__atomic_store_n(&page->released, 1, __ATOMIC_RELEASE);
	os_wake(&page->released, true);
	/* Before any signal: a handler that ends the process here waits for the copy that it finds. */
	if (pid >= 0) {
		page->pid = (int)pid;
		*freeze = page;
	}
	mask_swap(&old, NULL);
	if (pid < 0) {
		os_unmap(page, sizeof(*page));
		return (int)pid;
	}
	return 0;
}

/* Return: 1 reaped, 0 still running, -ECHILD not to be had: another thread of the host's (with __WALL) was first. */
static int reap(struct freeze *freeze, int options, int *status)
{
	long pid = os_call(SYS_wait4, freeze->pid, (long)status, options | __WALL, 0, 0, 0);

	return pid == freeze->pid ? 1 : pid == 0 || pid == -EINTR ? 0 : -ECHILD;
}

/* Wait until the copy is done, dead or late. Return: as reap; 0 only when late. */
static int await(struct freeze *freeze, uint64_t deadline, int *status)
{
	uint64_t slice = SLICE_LEAST_NS, now;
	int reaped;

	while (!__atomic_load_n(&freeze->finished, __ATOMIC_ACQUIRE)) {
		now = os_monotonic_ns();
		if (now >= deadline)
			return 0;
		os_wait(&freeze->finished, 0, slice < deadline - now ? slice : deadline - now, true);
		reaped = reap(freeze, WNOHANG, status);
		if (reaped != 0)
			return reaped;
		slice = slice * 2 < SLICE_MOST_NS ? slice * 2 : SLICE_MOST_NS;
	}
	/* It is on its way out; a plain wait, cut short by signal handlers, ends when its memory is gone. */
	while ((reaped = reap(freeze, 0, status)) == 0)
		;
	return reaped;
}

static int kill_and_reap(struct freeze *freeze, int *status)
{
	struct timespec pause = { 0, 1000000 };
	uint64_t deadline = os_monotonic_ns() + REAP_LIMIT_NS;
	int reaped;

	os_call(SYS_kill, freeze->pid, SIGKILL, 0, 0, 0, 0);
	while ((reaped = reap(freeze, WNOHANG, status)) == 0 && os_monotonic_ns() < deadline)
		os_call(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
	return reaped;
}

void freeze_wait(struct freeze **running, uint64_t timeout_ns, struct freeze_outcome *outcome)
{
	struct freeze *freeze = *running;
	uint64_t now = os_monotonic_ns();
	int status = 0, reaped;

	reaped = await(freeze, timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns, &status);
	*outcome = (struct freeze_outcome){ .pause_ns = freeze->pause_ns };
	if (reaped == 0)
		kill_and_reap(freeze, &status);
	if (freeze->exhausted) {
		outcome->result = FREEZE_MEMORY;
	} else if (__atomic_load_n(&freeze->finished, __ATOMIC_ACQUIRE)) {
		outcome->result = FREEZE_DONE;
		outcome->status = freeze->status;
	} else if (reaped == 0) {
		outcome->result = FREEZE_TIMEOUT;
	} else {
		outcome->result = FREEZE_CRASHED;
		outcome->status = reaped == 1 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	}
	/* A signal handler that ends the process here must not look at what is gone. */
	*running = NULL;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	os_unmap(freeze, sizeof(*freeze));
}

void freeze_join(struct freeze *freeze, uint64_t timeout_ns)
{
	uint64_t deadline = os_monotonic_ns() + timeout_ns, now;
	siginfo_t info = { 0 };

	while (!__atomic_load_n(&freeze->finished, __ATOMIC_ACQUIRE) && (now = os_monotonic_ns()) < deadline) {
		os_wait(&freeze->finished, 0, SLICE_LEAST_NS, true);
		if (os_call(SYS_waitid, P_PID, freeze->pid, (long)&info, WEXITED | WNOHANG | WNOWAIT | __WALL, 0, 0) < 0 ||
		    info.si_pid != 0)
			return;
	}
}

int freeze_in_place(int (*work)(void *), void *argument, uint64_t memory)
{
	int result;

	bump_open(memory, NULL);
	in_place = true;
	/* Stays for good: what the work left behind, in libc or in the interpreter, may be freed by any thread later. */
	__atomic_store_n(&freeze_mode, FREEZE_MODE_IN_PLACE, __ATOMIC_SEQ_CST);
	result = work(argument);
	in_place = false;
	return result;
}
