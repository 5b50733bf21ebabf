/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger as its users see it: equal content is one id, entries stay whole and in place, forks are counted. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"
#include "base/os.h"
#include "ledger/forks.h"
#include "ledger/registrations.h"
#include "ledger/stacks.h"
#include "ledger/strings.h"
#include "ledger/times.h"

#define MANY 1000000u

static void equal_text_is_one_pointer(void)
{
	const char *first = strings_intern("prepare");
	char text[32];

	CHECK(first && strings_intern_n("prepared", 7) == first);
	CHECK(strings_intern("prepared") != first);
	CHECK(strings_intern(NULL) == NULL);
	CHECK(strings_intern("") && strings_intern("")[0] == '\0');
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "name %u", i);
		CHECK(strings_intern(text));
	}
	CHECK(strcmp(strings_intern("name 4711"), "name 4711") == 0);
	CHECK(strings_intern("prepare") == first);
}

static void equal_stack_is_one_id(void)
{
	struct frame frames[STACK_MAX_FRAMES + 6];
	const uint32_t *ids;
	unsigned count;
	uint32_t id;

	memset(frames, 0xaa, sizeof(frames)); /* padding must not count */
	for (unsigned i = 0; i < STACK_MAX_FRAMES + 6; i++) {
		struct frame frame = { .module = 1, .offset = i };

		memcpy(&frames[i].python, &frame.python, sizeof(frame.python));
		frames[i].line = 0;
		frames[i].function = frames[i].file = NULL;
		frames[i].module = frame.module;
		frames[i].offset = frame.offset;
	}
	id = stacks_intern(frames, 3);
	CHECK(id != STACK_NONE && stacks_count() == 1 && frames_count() == 3);
	memset(&frames[1], 0, sizeof(frames[1]));
	frames[1].module = 1;
	frames[1].offset = 1;
	CHECK(stacks_intern(frames, 3) == id && frames_count() == 3);
	CHECK(stacks_intern(frames, 2) == id + 1 && frames_count() == 3);
	CHECK(stacks_intern(frames, 0) == STACK_NONE);
	ids = stacks_get(id, &count);
	CHECK(count == 3 && frames_get(ids[2])->offset == 2 && ids[0] == 0);
	CHECK(stacks_get(stacks_intern(frames, STACK_MAX_FRAMES + 6), &count) && count == STACK_MAX_FRAMES);
}

static void a_million_entries_stay_in_place(void)
{
	struct registration model = { .kind = REGISTRATION_NATIVE, .handle = 0x1000, .stack = STACK_NONE };
	struct registration *first = registrations_add(&model);

	CHECK(first && first->sequence == 0 && first->thread == (uint32_t)os_gettid() && first->time_ns);
	for (uint32_t i = 1; i < MANY; i++) {
		model.callable[PHASE_CHILD] = i;
		CHECK(registrations_add(&model));
	}
	CHECK(registrations_count() == MANY && registrations_get(0) == first && registrations_dropped() == 0);
	CHECK(registrations_get(MANY - 1)->callable[PHASE_CHILD] == MANY - 1);
	CHECK(registrations_own() == MANY);
}

static void handles_are_finalised_load_by_load(void)
{
	struct registration model = { .kind = REGISTRATION_NATIVE, .handle = 0x2000 };
	struct registration *first = registrations_add(&model), *second;
	struct fork_counts calls;

	CHECK(registrations_finalize(0, false) == 0 && registrations_finalize(0x3000, false) == 0);
	CHECK(registrations_finalize(0x2000, true) == 1 && first->finalized && first->finalized_in_handler);
	second = registrations_add(&model);
	CHECK(!second->finalized && registrations_finalize(0x2000, false) == 1);
	CHECK(second->finalized && !second->finalized_in_handler && first->finalized_in_handler);
	CHECK(registrations_finalize(0x1000, false) == MANY && registrations_finalize(0x1000, false) == 0);
	registrations_remove(first, REMOVED_DLCLOSE);
	forks_before(INTERPRETER_NONE);
	CHECK(forks_of(first, &calls) && calls.before == 0 && forks_of(second, &calls) && calls.before == 1);
	registrations_remove(first, REMOVED_INTERPRETER);
	CHECK(first->removed == REMOVED_DLCLOSE);
}

static void the_baseline_is_not_own(void)
{
	struct registration model = { .kind = REGISTRATION_PYTHON };

	registrations_mark();
	CHECK(registrations_own() == 0);
	CHECK(registrations_add(&model));
	model.standard = true;
	CHECK(registrations_add(&model));
	CHECK(registrations_own() == 1);
}

static void a_child_counts_anew(void)
{
	int status;
	pid_t child;

	forks_before(2);
	ledger_prepare();
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		struct registration model = { .kind = REGISTRATION_NATIVE };
		struct fork_counts counts;

		ledger_child();
		forks_child(2);
		CHECK(registrations_generation() == 1 && registrations_own() == 0);
		CHECK(registrations_add(&model) && registrations_own() == 1);
		registrations_remove(registrations_get(0), REMOVED_DLCLOSE);
		CHECK(registrations_own() == 2);
		CHECK(strings_intern("only in the child"));
		CHECK(forks_python(2, &counts) && counts.before == 1 && counts.parent == 0 && counts.child == 1);
		_exit(0);
	}
	ledger_parent();
	forks_parent(2);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(registrations_generation() == 0 && forks_native().parent == 1 && forks_native().child == 0);
	CHECK(!forks_python(FORKS_INTERPRETERS, &(struct fork_counts){ 0 }));
	CHECK(strings_intern("still unlocked"));
}

static void closings_are_kept(void)
{
	struct closing model = { .handle = 0x2000, .module = 7 };

	closings_add(&model);
	CHECK(closings_count() == 1 && closings_get(0)->module == 7 && closings_get(0)->time_ns);
}

static void times_are_of_their_handler(void)
{
	struct handler_time time;

	times_begin(3);
	times_begin(8);
	times_begin(9);
	CHECK(times_count() == 3 && !times_of(3, PHASE_CHILD, &time));
	times_add(1, PHASE_BEFORE, 50);
	times_add(1, PHASE_BEFORE, 70);
	times_add(1, PHASE_BEFORE, 20);
	times_add(2, PHASE_BEFORE, 5);
	CHECK(times_of(8, PHASE_BEFORE, &time) && time.total_ns == 140 && time.max_ns == 70);
	CHECK(!times_of(8, PHASE_PARENT, &time) && !times_of(7, PHASE_BEFORE, &time));
	CHECK(times_of(9, PHASE_BEFORE, &time) && time.total_ns == 5);
	times_spoil(2);
	CHECK(!times_of(9, PHASE_BEFORE, &time));
}

static void *race(void *argument)
{
	struct registration model = { .kind = REGISTRATION_NATIVE, .handle = (uintptr_t)argument };
	char text[32];

	for (unsigned i = 0; i < 20000; i++) {
		struct frame frame = { .module = 9, .offset = i % 100 };

		snprintf(text, sizeof(text), "race %u", i % 500);
		model.symbol[PHASE_CHILD] = strings_intern(text);
		model.native_stack = stacks_intern(&frame, 1);
		CHECK(registrations_add(&model));
	}
	return NULL;
}

static void threads_agree(void)
{
	uint32_t before = registrations_count(), stacks = stacks_count();
	pthread_t threads[8];

	for (uintptr_t i = 0; i < 8; i++)
		CHECK(pthread_create(&threads[i], NULL, race, (void *)(0x9000 + i)) == 0);
	for (unsigned i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	CHECK(registrations_count() == before + 8 * 20000 && stacks_count() == stacks + 100);
	for (uint32_t i = before; i < registrations_count(); i++) {
		const struct registration *entry = registrations_get(i);

		CHECK(entry->sequence == i && entry->symbol[PHASE_CHILD] == strings_intern(entry->symbol[PHASE_CHILD]));
	}
	CHECK(registrations_finalize(0x9003, false) == 20000);
}

int main(void)
{
	equal_text_is_one_pointer();
	equal_stack_is_one_id();
	a_million_entries_stay_in_place();
	handles_are_finalised_load_by_load();
	the_baseline_is_not_own();
	a_child_counts_anew();
	closings_are_kept();
	times_are_of_their_handler();
	threads_agree();
	return 0;
}
