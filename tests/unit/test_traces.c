/* SPDX-License-Identifier: Apache-2.0 */
/* The call tree: one node for one path, whole at every instant, found by all threads, an age within an eighth. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"
#include "base/os.h"
#include "ledger/traces.h"

#define THREADS 4u
#define DEPTH 12u
#ifdef __SANITIZE_THREAD__ /* a raw clone has no place in its picture of the process */
#define COPIES 0
#else
#define COPIES 10
#endif
#define SECOND UINT64_C(1000000000)

/* The linker puts these in front of the real ones. */
void *__real_os_map(size_t size);
void *__wrap_os_map(size_t size);
uint64_t __wrap_os_monotonic_ns(void);
static bool poor;
static uint64_t now = 5 * SECOND;

void *__wrap_os_map(size_t size)
{
	return poor ? NULL : __real_os_map(size);
}

uint64_t __wrap_os_monotonic_ns(void)
{
	return now;
}

static uint32_t native_path(uint64_t number)
{
	uint32_t node = TRACE_ROOT;

	for (unsigned i = 0; i < DEPTH; i++, number /= 4)
		node = traces_child(node, trace_native(0x7f0000001000 + i * 64 + number % 4, 0));
	return node;
}

static void one_node_for_one_path(void)
{
	uint32_t first = traces_child(TRACE_ROOT, trace_python(3, 14)), second;

	CHECK(first != TRACE_ROOT && traces_child(TRACE_ROOT, trace_python(3, 14)) == first);
	second = traces_child(first, trace_python(3, 14));
	CHECK(second != first && traces_parent(second) == first && traces_parent(first) == TRACE_ROOT);
	CHECK(traces_key(second) == trace_python(3, 14) && trace_tag(traces_key(second)) == TRACE_PYTHON);
	CHECK(traces_child(first, trace_native(14, 3)) != second && traces_child(TRACE_ROOT, trace_python(3, 15)) != first);
	CHECK(traces_parent(TRACE_ROOT) == TRACE_ROOT);
	CHECK(native_path(7) == native_path(7) && native_path(7) != native_path(8));
}

static void kinds_have_leaves_of_their_own(void)
{
	uint32_t node = native_path(1), leaf = traces_leaf(node, TRACE_PYTHON_OBJECT), count = traces_count();

	CHECK(traces_parent(leaf) == node && traces_key(leaf) == trace_leaf(TRACE_PYTHON_OBJECT, traces_epoch()));
	CHECK(traces_count() == count && traces_leaf(node, TRACE_PYTHON_OBJECT) == leaf && traces_count() == count);
	CHECK(traces_leaf(node, TRACE_MALLOC) != leaf && traces_count() == count + 1);
	CHECK(traces_leaf(node, TRACE_PYTHON_OBJECT) == leaf && traces_count() == count + 1);
	for (enum trace_kind kind = TRACE_MALLOC; kind <= TRACE_PYTHON_OBJECT; kind++) {
		leaf = traces_leaf(TRACE_ROOT, kind);
		CHECK(leaf && traces_parent(leaf) == TRACE_ROOT && traces_key(leaf) == trace_leaf(kind, traces_epoch()));
	}
}

static void many_are_found_again(void)
{
	enum { MANY = 400000 };
	uint32_t *ids = malloc(MANY * sizeof(*ids)), count;

	CHECK(ids);
	for (uint32_t i = 0; i < MANY; i++)
		ids[i] = traces_child(i % 2 ? ids[i / 2] : TRACE_ROOT, trace_native(0x400000 + i * 5, 1));
	count = traces_count();
	for (uint32_t i = 0; i < MANY; i++) {
		CHECK(traces_child(i % 2 ? ids[i / 2] : TRACE_ROOT, trace_native(0x400000 + i * 5, 1)) == ids[i]);
		CHECK(traces_parent(ids[i]) == (i % 2 ? ids[i / 2] : TRACE_ROOT));
	}
	CHECK(traces_count() == count && traces_lost() == 0);
	free(ids);
}

static void *grow(void *argument)
{
	uint64_t state = (uintptr_t)argument + 99;

	for (unsigned i = 0; i < 40000; i++) {
		uint32_t node;

		state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
		node = native_path(state >> 48);
		CHECK(traces_parent(traces_leaf(node, TRACE_MALLOC)) == node);
	}
	return NULL;
}

/* What the look-up of @id finds; a leaf of an earlier epoch is not looked for any more. */
static uint32_t found(uint32_t parent, uint64_t key, uint32_t id)
{
	if (trace_tag(key) != TRACE_LEAF)
		return traces_child(parent, key);
	return (uint32_t)key == traces_epoch() ? traces_leaf(parent, (enum trace_kind)(key >> 32 & 3)) : id;
}

/* All of [1, count) hang under older nodes and are what the look-up finds, but for the one that was just being made. */
static bool whole(void)
{
	uint32_t count = traces_count(), strange = 0;

	for (uint32_t id = 4; id < count; id++) {
		uint32_t parent = traces_parent(id);

		if (parent >= id || (traces_key(id) && found(parent, traces_key(id), id) != id))
			strange++;
	}
	return strange <= 1;
}

/* A copy of this thread alone, as the frozen copy is one: the lock may be another thread's. */
static void whole_at_every_instant(void)
{
	int status;
	long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	CHECK(child >= 0);
	if (child == 0) {
		traces_thaw();
		_exit(whole() ? 0 : 1);
	}
	CHECK(waitpid((pid_t)child, &status, 0) == child && status == 0);
}

static void threads_agree(void)
{
	pthread_t threads[THREADS];
	uint32_t count;

	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, grow, (void *)(i / 2)) == 0);
	for (int i = 0; i < COPIES; i++)
		whole_at_every_instant();
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	count = traces_count();
	grow((void *)0);
	grow((void *)1);
	CHECK(traces_count() == count && traces_lost() == 0 && whole());
}

static volatile sig_atomic_t interruptions;
static uint64_t handler_number;

static void interrupt(int signal)
{
	uint32_t node = native_path(++handler_number * 77 % 1000003);

	(void)signal;
	interruptions++;
	CHECK(traces_count() > node && traces_leaf(node, TRACE_MALLOC));
}

/* A handler that meets its own thread's lock gets what is there, and goes on. */
static void signals_do_not_wait(void)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	uint64_t number = 0;

	signal(SIGALRM, interrupt);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (interruptions < 500)
		CHECK(native_path(++number * 31) != TRACE_ROOT);
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(whole());
}

static void forks_keep_the_tree(void)
{
	int status;
	pid_t child;

	traces_prepare();
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		traces_child_process();
		CHECK(native_path(123) == native_path(123) && traces_child(native_path(123), trace_native(1, 1)) && whole());
		_exit(0);
	}
	traces_parent_process();
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(traces_child(native_path(123), trace_native(2, 2)) != native_path(123));
}

/* Ten years, looked at ever more seldom: the epoch of an instant tells its age to an eighth, or to 100 ms. */
static void ages_within_an_eighth(void)
{
	uint64_t start = now, step = SECOND / 1000;

	traces_tick();
	CHECK(traces_epoch_ns(0) == start);
	while (now < start + UINT64_C(10) * 365 * 86400 * SECOND) {
		uint32_t before = traces_epoch();

		now += step;
		traces_tick();
		CHECK(traces_epoch() - before <= 1 && traces_epoch_ns(traces_epoch()) <= now);
		CHECK(now - traces_epoch_ns(traces_epoch()) <= (now - start) / 8 + step + SECOND / 10);
		step += step / 100;
	}
	CHECK(traces_epoch() > 100 && traces_epoch() < 256);
}

static void a_new_epoch_has_new_leaves(void)
{
	uint32_t node = native_path(5), leaf = traces_leaf(node, TRACE_MALLOC), epoch = traces_epoch();

	now += now;
	traces_tick();
	CHECK(traces_epoch() == epoch + 1 && traces_leaf(node, TRACE_MALLOC) != leaf);
	CHECK(traces_key(traces_leaf(node, TRACE_MALLOC)) == trace_leaf(TRACE_MALLOC, epoch + 1));
}

static void without_memory(void)
{
	uint32_t node = native_path(9), child = TRACE_ROOT;

	poor = true;
	errno = 77;
	for (uint64_t i = 0; i < 2000000 && child != node; i++)
		child = traces_child(node, trace_native(0x1000000 + i, 2));
	CHECK(child == node && traces_lost() > 0 && errno == 77);
	/* Leaves need less. */
	for (uint32_t id = 4, count = traces_count(); id < count && traces_parent(child) != TRACE_ROOT; id++)
		if (trace_tag(traces_key(id)) != TRACE_LEAF)
			child = traces_leaf(id, TRACE_PYTHON_MEMORY);
	CHECK(traces_parent(child) == TRACE_ROOT && traces_key(child) == trace_leaf(TRACE_PYTHON_MEMORY, 0));
	CHECK(traces_leaf(node, TRACE_MALLOC) != TRACE_ROOT);
	poor = false;
	CHECK(traces_child(node, trace_native(0x7000000, 2)) != node && whole());
}

static void *while_another_forks(void *node)
{
	CHECK(traces_child(*(uint32_t *)node, trace_native(0x8000000, 2)) == *(uint32_t *)node);
	CHECK(traces_child(TRACE_ROOT, trace_python(3, 14)) != TRACE_ROOT);
	return NULL;
}

/* The thread that forks may be waiting for one that allocates. */
static void nobody_waits_for_a_fork(void)
{
	uint32_t node = native_path(11);
	uint64_t lost = traces_lost();
	pthread_t thread;

	traces_prepare();
	CHECK(pthread_create(&thread, NULL, while_another_forks, &node) == 0 && pthread_join(thread, NULL) == 0);
	traces_parent_process();
	CHECK(traces_lost() == lost + 1 && traces_child(node, trace_native(0x8000000, 2)) != node);
}

int main(void)
{
	one_node_for_one_path();
	kinds_have_leaves_of_their_own();
	many_are_found_again();
	threads_agree();
	signals_do_not_wait();
	forks_keep_the_tree();
	nobody_waits_for_a_fork();
	ages_within_an_eighth();
	a_new_epoch_has_new_leaves();
	without_memory();
	return 0;
}
