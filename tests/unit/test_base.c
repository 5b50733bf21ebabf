/* SPDX-License-Identifier: Apache-2.0 */
/* base: the arena, the lock that knows its owner, options out of the environment, errno left alone. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/guard.h"
#include "base/lock.h"
#include "base/options.h"
#include "base/os.h"

static void test_arena(void)
{
	struct arena arena = { 0 };
	char *last = NULL, *text;

	for (size_t size = 1; size < 3000000; size = size * 3 / 2 + 1) {
		char *block = arena_alloc(&arena, size);

		assert(block && (uintptr_t)block % 16 == 0);
		for (size_t i = 0; i < size; i++)
			assert(block[i] == 0);
		memset(block, 0xff, size);
		if (last)
			assert(*last == (char)0xff);
		last = block;
	}
	text = arena_strndup(&arena, "handler", 4);
	assert(strcmp(text, "hand") == 0);
	errno = 77;
	assert(!arena_alloc(&arena, SIZE_MAX - 3) && !arena_alloc(&arena, (size_t)1 << 60));
	assert(errno == 77 && arena.mapped > 3000000);
}

static struct lock lock;
static long counter;

static void *count(void *unused)
{
	for (int i = 0; i < 100000; i++) {
		assert(lock_take(&lock));
		counter++;
		if (i % 1000 == 0)
			assert(!lock_take(&lock));
		lock_release(&lock);
	}
	return unused;
}

static void test_lock(void)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, count, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert(counter == 400000 && lock.word == 0);
	assert(lock_take(&lock) && !lock_take(&lock));
	lock_reset(&lock);
	assert(lock_take(&lock));
	lock_release(&lock);
}

static void *ask(void *unused)
{
	assert(!lock_take_unless(&lock, unused) && !lock_try(&lock));
	return unused;
}

/* Another may be waiting for the one who asks. */
static void test_lock_that_is_kept(void)
{
	bool kept = true;
	pthread_t thread;

	errno = 77;
	assert(lock_take_unless(&lock, &kept) && !lock_take_unless(&lock, &kept) && errno == 77);
	pthread_create(&thread, NULL, ask, &kept);
	pthread_join(thread, NULL);
	lock_release(&lock);
	assert(lock_take_unless(&lock, &kept));
	lock_release(&lock);
}

static volatile int interruptions, refusals;

static void interrupt(int signal)
{
	(void)signal;
	interruptions++;
	if (lock_take(&lock))
		lock_release(&lock);
	else
		refusals++;
}

/* Whatever instruction a signal handler comes after: it gets the lock or is told that its own thread has it. */
static void test_lock_in_handlers(void)
{
	struct itimerval often = { { 0, 20 }, { 0, 20 } }, never = { { 0, 0 }, { 0, 0 } };

	signal(SIGALRM, interrupt);
	setitimer(ITIMER_REAL, &often, NULL);
	while (interruptions < 3000) {
		assert(lock_take(&lock));
		lock_release(&lock);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	assert(refusals > 0 && refusals < interruptions);
}

static void test_os(void)
{
	int ends[2];
	char text[8];
	uint32_t word = 1;
	uint64_t start = os_monotonic_ns();

	errno = 88;
	assert(os_call(9999, 0, 0, 0, 0, 0, 0) == -ENOSYS);
	assert(os_write_all(-1, "x", 1) == -EBADF && os_write_all(-1, "", 0) == 0);
	assert(pipe(ends) == 0 && os_write_all(ends[1], "handler", 7) == 0 && read(ends[0], text, 8) == 7);
	assert(os_wait(&word, 0, UINT64_MAX, false) == -EAGAIN);
	assert(os_wait(&word, 1, 2000000, true) == -ETIMEDOUT && os_monotonic_ns() - start >= 2000000);
	assert(os_getpid() == getpid() && os_gettid() == os_getpid() && errno == 88);
	os_unmap(NULL, 100);
	assert(guard_enter() && !guard_enter());
	guard_leave();
	guard_leave();
	assert(guard_enter());
	guard_leave();
}

/* Against libc, over days of four centuries and every second of some. */
static void test_utc(void)
{
	char expected[64], text[OS_UTC_ROOM];

	for (uint64_t seconds = 0; seconds < (uint64_t)13000000000; seconds += seconds % 97 ? 43201 : 86399) {
		time_t now = (time_t)seconds;
		struct tm parts;

		gmtime_r(&now, &parts);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.001234Z", &parts);
		os_utc(seconds * 1000000000u + 1234999, text);
		assert(strcmp(text, expected) == 0);
	}
}

/* Parsing changes a process' state for good: one child a case. */
static void parsed(const char *text, void (*check)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		setenv("FORKHELD_OPTIONS", text, 1);
		setenv("FORKHELD_TREE", "1", 1); /* keeps stderr quiet */
		options_init();
		check();
		_exit(0);
	}
	assert(waitpid(child, &status, 0) == child && status == 0);
}

static void defaults(void)
{
	assert(options.report == REPORT_AUTO && options.floor == 4096 && options.limit == 10000 && options.repeat == 8);
	assert(options.timeout == 60 && options.memory == (uint64_t)4 << 30 && !options.argv);
	assert(!options.addresses && !options.leaks && options.stop);
	assert(options.alloc == ALLOC_ALL && options.frames == 64 && options.sample == 0 && options.sites == 100);
}

static void all_default(void) { defaults(); assert(!options_note(0)); }

static void all_set(void)
{
	assert(options.report == REPORT_FINDINGS && options.floor == 1024 && options.limit == 0 && options.repeat == 1);
	assert(options.timeout == 3 && options.memory == (uint64_t)2 << 30 && options.argv && options.addresses &&
	       options.leaks && !options.stop);
	assert(options.alloc == ALLOC_PYTHON && options.frames == 25 && options.sample == 512 << 10 && options.sites == 0);
	assert(!options_note(0));
}

static void all_bad(void)
{
	defaults();
	assert(strcmp(options_note(0), "options: unknown key 'x'") == 0);
	assert(strcmp(options_note(1), "options: bad value 'floor=-1'") == 0);
	assert(strcmp(options_note(2), "options: bad value 'floor=99999999999999999999'") == 0);
	assert(strcmp(options_note(3), "options: bad value 'memory=9999999999G'") == 0);
	assert(strcmp(options_note(4), "options: bad value 'limit=1K'") == 0);
	assert(strcmp(options_note(5), "options: bad value 'argv=2'") == 0);
	assert(strcmp(options_note(6), "options: bad value 'report'") == 0);
	assert(strcmp(options_note(7), "options: unknown key '?" "?'") == 0);
	assert(strcmp(options_note(8), "options: unknown key ''") == 0);
	assert(strcmp(options_note(9), "options: bad value 'alloc=al'") == 0);
	assert(strcmp(options_note(10), "options: bad value 'frames=0'") == 0);
	assert(strcmp(options_note(11), "options: bad value 'frames=65'") == 0);
	assert(strcmp(options_note(12), "options: bad value 'sites=1K'") == 0);
	assert(strcmp(options_note(13), "options: bad value 'sample='") == 0);
	assert(!options_note(14));
}

static void first_sixteen(void)
{
	assert(options_note(15) && !options_note(16) && strlen(options_note(0)) < 100);
}

static void last_wins(void) { assert(options.floor == 2); }

static void test_options(void)
{
	static const struct { const char *text; void (*check)(void); } cases[] = {
		{ "", all_default }, { ":::", all_default },
		{ "report=findings:floor=1K:limit=0:repeat=1:timeout=3:memory=2G:argv=1:addresses=1"
		  ":leaks=1:stop=0"
		  ":alloc=python:frames=25:sample=512K:sites=0", all_set },
		{ "x:floor=-1:floor=99999999999999999999:memory=9999999999G:limit=1K:argv=2:report:\n\t:="
		  ":alloc=al:frames=0:frames=65:sites=1K:sample=", all_bad },
		{ "floor=1:floor=2:", last_wins },
		{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz=1"
		  ":1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:g:h:i:j", first_sixteen },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		parsed(cases[i].text, cases[i].check);
}

int main(void)
{
	test_arena();
	test_lock();
	test_lock_that_is_kept();
	test_lock_in_handlers();
	test_os();
	test_utc();
	test_options();
	return 0;
}
