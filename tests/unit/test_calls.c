/* SPDX-License-Identifier: Apache-2.0 */
/* A module for a running Python to load: how deep the Python stack is as calls_node says it, also while another thread
 * forks for so long that nothing can be noted. */
#define _GNU_SOURCE
#include "python/calls.h"

#include <pthread.h>
#include <semaphore.h>

#include "inside.h"

#define NATIVE_KEY trace_native(0x1234, 0)

static sem_t begun, over;
static pthread_t forking_thread;

/* Return: 0, or why nothing can be looked at. */
__attribute__((visibility("default"))) const char *test_attach(void);
const char *test_attach(void)
{
	options.frames = 64;
	if (sem_init(&begun, 0, 0) != 0 || sem_init(&over, 0, 0) != 0)
		return "no semaphore";
	return inside_attach_layout();
}

static unsigned depth_of(uint32_t node)
{
	unsigned depth = 0;

	for (; node != TRACE_ROOT; node = traces_parent(node))
		depth++;
	return depth;
}

__attribute__((visibility("default"))) unsigned test_depth(void);
unsigned test_depth(void)
{
	uintptr_t thread = (uintptr_t)capi_current();

	return depth_of(calls_node(calls_mine(), thread, layout_current(thread)));
}

/* One native frame, which proves itself: by no word at all. */
static uint32_t native(uint32_t node, const struct caller *caller, struct proof *proof)
{
	if (proof) {
		proof_begin(proof, caller, false);
		proof_end(proof);
	}
	return traces_child(node, NATIVE_KEY + traces_count());
}

/* Of an allocation that comes again and again, with its native frame and its leaf. */
__attribute__((visibility("default"))) unsigned test_leaf_depth(uintptr_t place, unsigned kind);
unsigned test_leaf_depth(uintptr_t place, unsigned kind)
{
	uintptr_t thread = (uintptr_t)capi_current(), stack[4] = { 0 };
	struct caller caller = { .ip = place, .cfa = (uintptr_t)(stack + 2) };

	return depth_of(calls_leaf_find(calls_mine(), thread, layout_current(thread), &caller, kind, native));
}

/* One native frame, proved by the word above the caller's frame. */
static uint64_t way_key(uintptr_t way)
{
	return trace_native(0x1000 + way, 0);
}

static uint32_t native_way(uint32_t node, const struct caller *caller, struct proof *proof)
{
	const uintptr_t *word = (const uintptr_t *)caller->cfa + 1;

	if (proof) {
		proof_begin(proof, caller, false);
		proof_add(proof, (uintptr_t)word, *word);
		proof_end(proof);
	}
	return traces_child(node, way_key(*word));
}

/* An allocation from one place, to which several ways lead; as the hooks ask. Return: has it got its own leaf? */
__attribute__((visibility("default"))) bool test_way(uintptr_t place, uintptr_t way, unsigned kind);
bool test_way(uintptr_t place, uintptr_t way, unsigned kind)
{
	static uintptr_t stack[4];
	const struct caller caller = { .ip = place, .cfa = (uintptr_t)(stack + 2) };
	struct calls *calls = calls_mine();
	uintptr_t thread = (uintptr_t)capi_current(), frame = layout_current(thread);
	uint32_t leaf = 0;

	stack[1] = place; /* as a call leaves it */
	stack[3] = way;
	if (!layout.unit)
		leaf = calls_leaf(calls, frame, layout_chunk(thread), &caller, kind);
	if (!leaf)
		leaf = calls_leaf_find(calls, thread, frame, &caller, kind, native_way);
	return traces_parent(leaf) == traces_child(calls_node(calls, thread, frame), way_key(way)) &&
	       traces_key(leaf) == trace_leaf(memo_kind_of(kind), traces_epoch());
}

/* Time goes by, or (@unloaded) all that was proven is void. */
__attribute__((visibility("default"))) void test_epoch(int unloaded);
void test_epoch(int unloaded)
{
	if (unloaded)
		proof_void();
	else
		traces_epoch_now++;
}

static void *fork_for_long(void *unused)
{
	traces_prepare();
	sem_post(&begun);
	sem_wait(&over);
	traces_parent_process();
	return unused;
}

/* test_fork - another thread begins to fork, or has done. */
__attribute__((visibility("default"))) int test_fork(int begins);
int test_fork(int begins)
{
	if (begins)
		return pthread_create(&forking_thread, NULL, fork_for_long, NULL) || sem_wait(&begun);
	return sem_post(&over) || pthread_join(forking_thread, NULL);
}
