/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of this very program as paths of the call tree: who called, that the same stack is the same path whatever came
 * between, where paths end, and what an address means after modules have come and gone.
 *   test_trace PLUGIN
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include "check.h"
#include "frames.h"
#include "ledger/traces.h"
#include "native/modules.h"
#include "native/parts.h"
#include "native/rules.h"
#include "native/trace.h"
#include "native/trace_fast.h"

static uint32_t parent, node;
static bool foreign, held;
static struct proof proof, earlier; /* of @node; of what held says whether it is true here, too */

/* As a malloc would: without a parent by either way, which must come to the same. */
static NOINLINE void allocate(void)
{
	struct caller caller = caller_at(CALLER_FRAME());
	static unsigned turn;
	struct proof mine;

	errno = 77;
	trace_here_proven(parent, &caller, &mine);
	CHECK(mine.count == PROOF_NONE || proof_holds(&mine, &caller));
	proof = mine;
	if (parent == TRACE_ROOT && turn++ % 3)
		node = traces_parent(trace_leaf_here(caller.ip, caller.cfa, caller.fp));
	else
		node = trace_here(parent, &caller, &foreign);
	CHECK(errno == 77);
	held = proof_holds(&earlier, &caller);
}

static NOINLINE void one(void)
{
	allocate();
	STAY;
}

static NOINLINE void two(void)
{
	one();
	STAY;
}

static NOINLINE void deep(unsigned left)
{
	if (left)
		deep(left - 1);
	else
		two();
	STAY;
}

static unsigned depth_of(uint32_t id)
{
	unsigned depth = 0;

	for (; id != TRACE_ROOT; id = traces_parent(id))
		depth++;
	return depth;
}

/* in - does the address in @id's key lie in the function that begins at @function? By the tables of this program. */
static bool in(uint32_t id, void (*function)(void))
{
	uintptr_t ip = traces_key(id) & 0xffffffffffff, start, size;
	struct cfi_image image = { 0, modules_get(0)->start, modules_get(0)->end };
	struct rule rule;

	for (unsigned i = 0; i < modules_get(0)->header_count; i++)
		if (modules_get(0)->headers[i].p_type == PT_GNU_EH_FRAME)
			image.header = modules_get(0)->bias + modules_get(0)->headers[i].p_vaddr;
	return cfi_rule(&image, ip - 1, &rule, &start, &size) && start == (uintptr_t)function;
}

static NOINLINE void stacks_are_paths(void)
{
	uint32_t first, second;

	two();
	first = node;
	CHECK(in(first, one) && in(traces_parent(first), two) && in(traces_parent(traces_parent(first)), stacks_are_paths));
	one();
	second = node;
	CHECK(second != first && in(second, one) && in(traces_parent(second), stacks_are_paths));
	for (volatile int i = 0; i < 3; i++) { /* not unrolled */
		two();
		CHECK(i == 0 || node == first); /* a place of its own in the loop */
		first = node;
		one();
		CHECK(i == 0 || node == second);
		second = node;
	}
}

static NOINLINE void the_same_whatever_came_between(void)
{
	uint32_t at[200];

	for (volatile unsigned turn = 0; turn < 5; turn++)
		for (unsigned i = 0; i < 200; i += 1 + turn) {
			deep(i);
			CHECK(turn == 0 || node == at[i]);
			at[i] = node;
			CHECK(i == 0 || depth_of(node) == depth_of(at[0]) + i);
		}
}

/* Beyond what a trail can hold the outer end is missing, never the inner. */
static NOINLINE void very_deep_stacks_have_their_inner_frames(void)
{
	uint32_t id;
	unsigned i;

	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned levels = 20000; levels > 4000; levels -= 1999) {
			deep(levels);
			for (i = 0, id = traces_parent(traces_parent(node)); i < 62; i++, id = traces_parent(id))
				CHECK(in(id, (void (*)(void))deep));
		}
}

static NOINLINE void stop(void (*call)(void))
{
	call();
	STAY;
}

static int by_libc(const void *a, const void *b)
{
	(void)b;
	if (!node)
		two();
	return *(const int *)a;
}

static void sort(void)
{
	int numbers[2] = { 1, 1 };

	node = 0;
	qsort(numbers, 2, sizeof(numbers[0]), by_libc);
	STAY;
}

/* A frame that only the frame pointer leads out of. */
static NOINLINE void grown(void)
{
	static volatile unsigned size;
	volatile char *room = __builtin_alloca(32 + size++ % 3 * 64);

	room[0] = 0;
	two();
	CHECK(proof.count != PROOF_NONE);
	earlier = proof;
	two();
	CHECK(!held); /* from another place */
	for (volatile int i = 0; i < 2; i++) {
		two();
		CHECK(i == 0 || held);
		earlier = proof;
	}
	STAY;
}

static NOINLINE void stacks_end_at_the_function(void)
{
	uint32_t foreign_node;

	trace_stop_at((uintptr_t)stop);
	for (uint32_t line = 1; line < 9; line++) {
		parent = traces_child(TRACE_ROOT, trace_python(1, line / 2));
		stop(two);
		CHECK(node == parent && !foreign);
		stop(allocate);
		CHECK(node == parent && !foreign);
		stop(grown);
		CHECK(node == parent && !foreign);
		stop(sort);
		CHECK(foreign && in(node, one));
		foreign_node = node;
		for (unsigned i = 0; i < 20 && foreign_node != parent; i++)
			foreign_node = traces_parent(foreign_node);
		CHECK(foreign_node == parent && in(traces_parent(node), two));
	}
	parent = TRACE_ROOT;
	stop(two);
	CHECK(in(traces_parent(node), two) && in(traces_parent(traces_parent(node)), (void (*)(void))stop));
}

static sigjmp_buf back;

static NOINLINE void left(void)
{
	one();
	STAY;
}

static NOINLINE void right(void)
{
	one();
	STAY;
}

static NOINLINE void left_and_right(void)
{
	void (*const calls[])(void) = { left, left, right, left };

	for (volatile unsigned i = 0; i < 4; i++) {
		calls[i]();
		CHECK(proof.count != PROOF_NONE && held == (i > 0 && calls[i] == left));
		if (i == 0)
			earlier = proof;
	}
	STAY;
}

/* Two calls with frames of one size: the innermost return address and the stack pointer are the same. */
static void proofs_are_of_one_stack(void)
{
	uint32_t epoch = proof_epoch;

	parent = traces_child(TRACE_ROOT, trace_python(8, 1));
	stop(left_and_right);
	parent = TRACE_ROOT;
	CHECK(proof_epoch == epoch);
	trace_unloading();
	CHECK(proof_epoch != epoch);
}

static void handler(int number)
{
	two();
	if (number == SIGUSR2)
		siglongjmp(back, 1);
}

static NOINLINE void signals_are_passed_through(void)
{
	static char room[65536];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };
	struct sigaction action = { .sa_handler = handler };
	uint32_t id;

	for (volatile int turn = 0; turn < 4; turn++) {
		action.sa_flags = turn % 2 ? SA_ONSTACK : 0;
		CHECK(sigaltstack(&stack, NULL) == 0);
		CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
		if (turn < 2)
			raise(SIGUSR1);
		else if (sigsetjmp(back, 1) == 0)
			raise(SIGUSR2);
		for (id = node; id != TRACE_ROOT && !in(id, signals_are_passed_through); id = traces_parent(id))
			;
		CHECK(id != TRACE_ROOT);
		two();
		CHECK(in(traces_parent(traces_parent(node)), signals_are_passed_through));
	}
	stack.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&stack, NULL) == 0);
}

static volatile sig_atomic_t jumping, handled;

/* What the interrupted call was about stays as it was. */
static void on_time(int number)
{
	uint32_t saved = node;

	(void)number;
	handled++;
	deep(handled % 5);
	node = saved;
	if (jumping && handled % 3 == 0)
		siglongjmp(back, 1);
}

/* Also in the midst of a walk, and to leave it by a jump. */
static NOINLINE void signals_may_come_at_any_time(void)
{
	struct sigaction action = { .sa_handler = on_time };
	struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { { 0, 0 }, { 0, 0 } };
	volatile uint32_t at[40];

	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	for (volatile unsigned turn = 0; turn < 3; turn++) {
		jumping = turn == 2;
		for (volatile unsigned i = 0; i < 4000; i++) {
			if (sigsetjmp(back, 1))
				continue;
			if (turn == 1 && i == 0)
				CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
			deep(i * 7 % 40);
			if (turn == 0)
				at[i * 7 % 40] = node;
			if (node != at[i * 7 % 40]) {
				fprintf(stderr, "turn %u, %u: another node\n", turn, i);
				_exit(1); /* the handler would come back to here from within exit */
			}
		}
	}
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(handled > 0);
}

static void *in_thread(void *result)
{
	deep(20);
	*(uint32_t *)result = node;
	return NULL;
}

static void threads_have_stacks_of_their_own(void)
{
	pthread_attr_t small;
	pthread_t thread;
	uint32_t first = 0, again = 0;

	CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 16384) == 0);
	for (volatile int i = 0; i < 8; i++) {
		CHECK(pthread_create(&thread, i % 2 ? &small : NULL, in_thread, &again) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
		CHECK(i == 0 || again == first);
		first = again;
	}
}

static sem_t one_done, go_on;

static NOINLINE void lost_and_found(uint32_t nodes[2])
{
	for (volatile int turn = 0; turn < 2; turn++) {
		deep(7);
		nodes[turn] = node;
		CHECK(sem_post(&one_done) == 0 && sem_wait(&go_on) == 0);
	}
	STAY;
}

static void *while_another_forks(void *nodes)
{
	deep(1); /* has its trail */
	CHECK(sem_post(&one_done) == 0 && sem_wait(&go_on) == 0);
	lost_and_found(nodes);
	return NULL;
}

/* What could not be noted because another thread's fork takes long is not remembered as the truth. */
static void a_gap_is_not_remembered(void)
{
	pthread_t thread;
	uint32_t nodes[2];
	uint64_t lost;

	CHECK(sem_init(&one_done, 0, 0) == 0 && sem_init(&go_on, 0, 0) == 0);
	CHECK(pthread_create(&thread, NULL, while_another_forks, nodes) == 0 && sem_wait(&one_done) == 0);
	lost = traces_lost();
	traces_prepare();
	CHECK(sem_post(&go_on) == 0 && sem_wait(&one_done) == 0);
	CHECK(traces_lost() > lost);
	traces_parent_process();
	CHECK(sem_post(&go_on) == 0 && sem_wait(&one_done) == 0 && sem_post(&go_on) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(depth_of(nodes[0]) < depth_of(nodes[1]) && depth_of(nodes[1]) > 10);
	CHECK(in(traces_parent(traces_parent(nodes[1])), (void (*)(void))deep));
}

static uint64_t plugin_key;

/* A return address in the plugin, as if it had called. */
static uint64_t key_in(void *code)
{
	return trace_native((uintptr_t)code + 1, 1 + trace_generation() % 0x3fff);
}

static void addresses_mean_what_was_there_then(const char *path)
{
	void *library = dlopen(path, RTLD_NOW), *code, *again;
	uint64_t offset, gone, other;
	uint32_t id;

	CHECK(library && (code = dlsym(library, "plugin_prepare")));
	plugin_key = key_in(code);
	CHECK(trace_frame(plugin_key, &offset) == MODULE_NONE && offset == (uintptr_t)code); /* not seen yet */
	modules_refresh();
	id = modules_find((uintptr_t)code);
	CHECK(id != MODULE_NONE && trace_frame(plugin_key, &offset) == id);
	CHECK(offset == (uintptr_t)code - modules_get(id)->bias);
	modules_finalize((uintptr_t)code);
	CHECK(dlclose(library) == 0);
	trace_unloading();
	gone = key_in(code);
	modules_refresh();
	CHECK(trace_frame(plugin_key, &offset) == id && trace_frame(gone, &offset) == MODULE_NONE);
	trace_unloading();
	library = dlopen(path, RTLD_NOW);
	CHECK(library && (again = dlsym(library, "plugin_prepare")));
	other = key_in(again);
	modules_refresh();
	CHECK(trace_frame(plugin_key, &offset) == id && trace_frame(gone, &offset) == MODULE_NONE);
	CHECK(trace_frame(other, &offset) == modules_find((uintptr_t)again) && trace_frame(other, &offset) != id);
	CHECK(dlclose(library) == 0);
	trace_unloading();
	modules_refresh();
	/* What nothing can unload is known without a count. */
	CHECK(trace_frame(trace_native((uintptr_t)two + 1, 0), &offset) == 0);
	CHECK(offset == (uintptr_t)two - modules_get(0)->bias);
}

/* Unlikely code goes elsewhere. */
static volatile int unlikely_value;
__attribute__((noinline, cold)) static void never(int value)
{
	unlikely_value = value;
}

__attribute__((noinline, optimize("O2"))) static int in_parts(int value)
{
	for (int i = 0; i < 10; i++) {
		if (__builtin_expect(value == i * 7 + 1, 0)) {
			never(value);
			two();
			never(i);
		}
		if (__builtin_expect(value == i * 9 + 2, 0)) {
			never(i);
			one();
			never(value);
		}
		value += unlikely_value;
	}
	if (__builtin_expect(value == 4711, 0)) {
		never(1);
		two();
		never(2);
	}
	return value;
}

static void parts_belong_to_their_function(void)
{
	struct rule rule;
	bool apart;

	trace_stop_at((uintptr_t)in_parts);
	parent = traces_child(TRACE_ROOT, trace_python(2, 1));
	in_parts(8);
	CHECK(node == parent && !foreign);
	rule = rules_get((uintptr_t)in_parts);
	CHECK(rule.stop);
	rule = rules_get((uintptr_t)two);
	apart = rule.stop;
	CHECK(!apart);
	parent = TRACE_ROOT;
}

int main(int argc, char **argv)
{
	CHECK(argc == 2);
	modules_init();
	one();
	CHECK(node == TRACE_ROOT && trace_state()); /* too early */
	trace_init(64);
	CHECK(!trace_state());
	stacks_are_paths();
	the_same_whatever_came_between();
	CHECK(trace_unknown() == 0);
	very_deep_stacks_have_their_inner_frames();
	stacks_end_at_the_function();
	proofs_are_of_one_stack();
	parts_belong_to_their_function();
	signals_are_passed_through();
	signals_may_come_at_any_time();
	threads_have_stacks_of_their_own();
	a_gap_is_not_remembered();
	addresses_mean_what_was_there_then(argv[1]);
	return 0;
}
