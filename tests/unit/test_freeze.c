/* SPDX-License-Identifier: Apache-2.0 */
/* The frozen copy: every outcome, what it keeps and gives up; and the heap that serves in it. */
#define _GNU_SOURCE
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/os.h"
#include "native/halted.h"
#include "snapshot/bump.h"
#include "snapshot/freeze.h"

#define SECOND 1000000000u

static struct freeze_outcome outcome_of(int (*work)(void *), void *argument, uint64_t memory, uint64_t limit_ns)
{
	struct freeze_outcome outcome;
	struct freeze *freeze;

	errno = 99;
	assert(freeze_start(work, argument, -1, memory, false, &freeze) == 0);
	freeze_wait(&freeze, limit_ns, &outcome);
	assert(errno == 99 && !freeze_inside() && !freeze_shared_pause());
	assert(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
	assert(outcome.pause_ns > 0);
	return outcome;
}

static int variable;

static int work_returns(void *argument)
{
	variable = 1;
	freeze_await_pause();
	if (!freeze_inside() || !freeze_shared_pause() || *freeze_shared_pause() == 0)
		return -EINVAL;
	return *(int *)argument;
}

static int work_crashes(void *unused)
{
	(void)unused;
	raise(SIGKILL);
	return 0;
}

static int work_aborts(void *unused)
{
	(void)unused;
	abort();
}

static int work_hangs(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return 0;
}

static int work_eats(void *unused)
{
	(void)unused;
	while (bump_alloc(1000, 16, false))
		;
	return 0;
}

static void must_not_run(int number)
{
	(void)number;
	_exit(7);
}

static void test_outcomes(void)
{
	int value = 42, error = -EIO;
	struct freeze_outcome outcome = outcome_of(work_returns, &value, 0, UINT64_MAX);
	uint64_t start;

	assert(outcome.result == FREEZE_DONE && outcome.status == 42 && variable == 0);
	outcome = outcome_of(work_returns, &error, 0, 60 * (uint64_t)SECOND);
	assert(outcome.result == FREEZE_DONE && outcome.status == -EIO);
	outcome = outcome_of(work_crashes, NULL, 0, UINT64_MAX);
	assert(outcome.result == FREEZE_CRASHED && outcome.status == SIGKILL);
	signal(SIGABRT, must_not_run);
	outcome = outcome_of(work_aborts, NULL, 0, UINT64_MAX);
	assert(outcome.result == FREEZE_CRASHED && outcome.status == SIGABRT);
	start = os_monotonic_ns();
	outcome = outcome_of(work_hangs, NULL, 0, SECOND / 5);
	assert(outcome.result == FREEZE_TIMEOUT && os_monotonic_ns() - start < SECOND);
	outcome = outcome_of(work_eats, NULL, 10 << 20, UINT64_MAX);
	assert(outcome.result == FREEZE_MEMORY);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Return: a number that says which promise of freeze_start is broken, or 0. */
static int work_looks(void *argument)
{
	int kept = *(int *)argument, parent_dies = 0;
	struct rlimit size, core;
	sigset_t blocked;
	char text[8] = "";

	for (int fd = 3; fd < 100; fd++)
		if (is_open(fd) != (fd == kept))
			return 1;
	if (!is_open(0) || !is_open(1) || !is_open(2) || read(0, text, 1) != 0)
		return 2;
	getrlimit(RLIMIT_FSIZE, &size);
	getrlimit(RLIMIT_CORE, &core);
	if (size.rlim_cur != size.rlim_max || core.rlim_cur > 1 || prctl(PR_GET_DUMPABLE) != 0)
		return 3;
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	if (!sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGRTMIN) || !sigismember(&blocked, SIGALRM))
		return 4;
	if (prctl(PR_GET_PDEATHSIG, &parent_dies) != 0 || parent_dies != SIGKILL)
		return 5;
	return write(kept, "seen", 4) == 4 ? 0 : 6;
}

static void test_copy(void)
{
	int ends[2], kept = 50, low = open("/dev/null", O_RDWR);
	struct rlimit limit = { 1000, RLIM_INFINITY };
	struct freeze_outcome outcome;
	struct freeze *freeze;
	char text[8] = "";

	assert(low >= 0 && pipe(ends) == 0 && dup2(ends[1], kept) == kept && setrlimit(RLIMIT_FSIZE, &limit) == 0);
	assert(freeze_start(work_looks, &kept, kept, 0, false, &freeze) == 0);
	freeze_wait(&freeze, UINT64_MAX, &outcome);
	assert(outcome.result == FREEZE_DONE);
	assert(outcome.status == 0);
	assert(read(ends[0], text, sizeof(text)) == 4 && strcmp(text, "seen") == 0);
	assert(getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur == 1000 && is_open(low) && is_open(ends[1]));
}

struct held { unsigned char *block; size_t size; unsigned char fill; };

static void check(const struct held *held)
{
	assert(bump_owns(held->block) && bump_size(held->block) >= held->size);
	for (size_t i = 0; i < held->size; i += held->size / 64 + 1)
		assert(held->block[i] == held->fill);
}

/* Random life of blocks, small and large: contents stay, zeroed is zero, alignment holds. */
static int work_lives(void *unused)
{
	static struct held held[200];
	uint32_t random = 12345;

	(void)unused;
	for (int turn = 0; turn < 20000; turn++) {
		struct held *one = &held[(random = random * 1664525 + 1013904223) >> 16 & 127];
		size_t size = random >> 8 & (turn % 50 == 0 ? 0x3fffff : 0xfff);

		if (!one->block) {
			size_t alignment = (size_t)16 << (random >> 28 & 7);
			bool zero = turn % 2;

			one->block = bump_alloc(size, alignment, zero);
			assert(one->block && (uintptr_t)one->block % alignment == 0);
			for (size_t i = 0; zero && i < size; i++)
				assert(one->block[i] == 0);
		} else if (turn % 3 == 0) {
			size_t kept = one->size < size ? one->size : size;

			check(one);
			one->block = bump_resize(one->block, size);
			for (size_t i = 0; i < kept; i += kept / 64 + 1)
				assert(one->block[i] == one->fill);
		} else {
			check(one);
			bump_release(one->block);
			one->block = NULL;
			continue;
		}
		one->size = size;
		one->fill = (unsigned char)turn;
		memset(one->block, one->fill, size);
	}
	return 0;
}

/* Doubling a large block must not add up: its pages move. */
static int work_doubles(void *unused)
{
	char *block = bump_alloc(16, 16, false);
	int stack;

	(void)unused;
	for (size_t size = 32; size <= (size_t)64 << 20; size *= 2) {
		block = bump_resize(block, size);
		block[size - 1] = 'x';
	}
	assert(block[((size_t)1 << 20) - 1] == 'x' && bump_mapped() < (uint64_t)70 << 20);
	assert(!bump_owns(&stack) && !bump_owns(NULL) && !bump_owns(block + 1));
	bump_release(block);
	assert(!bump_owns(block));
	return 0;
}

/* A large block given back serves the next of its size, but not one that would waste most of it, and not zeroed; the
 * cap comes first. */
static int work_keeps(void *unused)
{
	char *block = bump_alloc((size_t)40 << 20, 16, false), *other;

	(void)unused;
	memset(block, 'x', (size_t)40 << 20);
	bump_release(block);
	other = bump_alloc((size_t)39 << 20, 16, false);
	assert(other == block && bump_mapped() < (uint64_t)44 << 20);
	bump_release(other);
	other = bump_alloc((size_t)15 << 20, 16, true);
	assert(other != block && other[0] == 0 && other[((size_t)15 << 20) - 1] == 0);
	bump_release(other);
	other = bump_alloc((size_t)50 << 20, 16, false);
	assert(other && bump_mapped() <= (uint64_t)64 << 20);
	return 0;
}

static int work_in_place(void *result)
{
	assert(freeze_inside() && freeze_mode == FREEZE_MODE_IN_PLACE);
	assert(!bump_alloc((size_t)1 << 62, 16, false)); /* refused, not the end */
	return *(int *)result;
}

/* Other threads, held still meanwhile. */
static volatile uint32_t counter, leave;
static volatile uintptr_t stack_of_other;

static void *count(void *unused)
{
	char here;

	stack_of_other = (uintptr_t)&here;
	while (!leave)
		counter++;
	return unused;
}

static bool has_word(const struct halted *halted, uintptr_t word)
{
	for (size_t at = 0; at + sizeof(word) <= halted->used; at += sizeof(word))
		if (memcmp(halted->words + at, &word, sizeof(word)) == 0)
			return true;
	return false;
}

static int work_sees(void *unused)
{
	const struct halted *halted = freeze_halted();
	uintptr_t other = stack_of_other;

	(void)unused;
	if (!halted || !halted_held(halted) || halted_reason(halted))
		return 1;
	if (halted->count != 1 || halted->others != 1)
		return 2;
	if (halted->threads[0].sp > other || other - halted->threads[0].sp > 4096)
		return 3;
	return has_word(halted, halted->threads[0].tp) ? 0 : 4;
}

static int work_waits(void *unused)
{
	(void)unused;
	return halted_held(freeze_halted()) ? 0 : 1;
}

static void goes_on(void)
{
	uint32_t before = counter;

	for (unsigned i = 0; i < 5000 && counter == before; i++)
		usleep(1000);
	assert(counter != before);
}

/* Kills whatever children @victim has, as soon as they are there. */
static void kill_children(pid_t victim)
{
	char path[64];
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", victim, victim);
	for (;;) {
		FILE *file = fopen(path, "r");

		while (file && fscanf(file, "%d", &child) == 1)
			if (child != getpid())
				kill(child, SIGKILL);
		if (file)
			fclose(file);
	}
}

static void test_others(void)
{
	struct freeze_outcome outcome;
	struct freeze *freeze;
	pthread_t thread;
	pid_t killer;
	unsigned killed = 0;

	assert(pthread_create(&thread, NULL, count, NULL) == 0);
	while (!stack_of_other)
		usleep(1000);
	errno = 99;
	for (unsigned i = 0; i < 20; i++) {
		assert(freeze_start(work_sees, NULL, -1, 0, true, &freeze) == 0);
		freeze_wait(&freeze, SECOND, &outcome);
		assert(outcome.result == FREEZE_DONE && outcome.status == 0 && outcome.pause_ns > 0);
		assert(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
		errno = 99;
		goes_on();
	}
	/* The tracer is killed, or the copy. */
	killer = fork();
	if (killer == 0)
		kill_children(getppid());
	for (unsigned i = 0; i < 100; i++) {
		assert(freeze_start(work_waits, NULL, -1, 0, true, &freeze) == 0);
		freeze_wait(&freeze, SECOND, &outcome);
		assert(outcome.result == FREEZE_DONE || outcome.result == FREEZE_CRASHED);
		killed += outcome.result == FREEZE_CRASHED || outcome.status != 0;
		goes_on();
	}
	kill(killer, SIGKILL);
	fprintf(stderr, "killed: %u of 100 tracers or copies\n", killed);
	assert(killed > 0);
	assert(waitpid(-1, NULL, __WALL) == killer);
	leave = 1;
	pthread_join(thread, NULL);
	/* Nobody there: nobody is missing. */
	assert(freeze_start(work_waits, NULL, -1, 0, true, &freeze) == 0);
	freeze_wait(&freeze, SECOND, &outcome);
	assert(outcome.result == FREEZE_DONE && outcome.status == 0);
}

/* Where this process must not trace at all. */
static bool may_trace(void)
{
	pid_t parent = getpid(), child;
	int status;

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	child = fork();
	if (child == 0)
		_exit(ptrace(PTRACE_SEIZE, parent, 0, 0) == 0 ? 0 : 1);
	prctl(PR_SET_PTRACER, 0, 0, 0, 0);
	return waitpid(child, &status, 0) == child && status == 0;
}

int main(void)
{
	int value = 5;

	test_outcomes();
	test_copy();
	assert(outcome_of(work_lives, NULL, 0, UINT64_MAX).status == 0);
	assert(outcome_of(work_doubles, NULL, 0, UINT64_MAX).result == FREEZE_DONE);
	assert(outcome_of(work_keeps, NULL, (uint64_t)64 << 20, UINT64_MAX).result == FREEZE_DONE);
	if (may_trace())
		test_others();
	else
		fprintf(stderr, "not tried: other threads held still, as ptrace is refused\n");
	assert(freeze_in_place(work_in_place, &value, 1 << 20) == 5 && !freeze_inside());
	return 0;
}
