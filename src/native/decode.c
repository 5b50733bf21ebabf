/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "native/decode.h"

#ifdef HAVE_CAPSTONE
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include "base/os.h"
#include "native/decode_inside.h"
#include "native/memory.h"

/* The name changed with version 6. */
#if CS_API_MAJOR >= 6
#define DECODE_ARCH_AARCH64 CS_ARCH_AARCH64
#else
#define DECODE_ARCH_AARCH64 CS_ARCH_ARM64
#endif

/* A busy machine may take its time. */
#define PATIENCE_US 250000
#define PATIENCE_TIMES 6u

static struct {
	cs_err (*open)(cs_arch arch, cs_mode mode, csh *handle);
	cs_err (*option)(csh handle, cs_opt_type type, size_t value);
	cs_insn *(*allocate)(csh handle);
	bool (*next)(csh handle, const uint8_t **code, size_t *size, uint64_t *address, cs_insn *instruction);
} capstone;

static csh handle;
static enum decode_processor opened;

/* A visit may look through what its instruction calls. The passes are large for a stack; and a scan of memory must not
 * meet the addresses in them, as it would in static data: so they are of os_map. */
#define NESTED 2u
static struct level {
	cs_insn *instruction;
	struct decode_pass *pass;
} levels[NESTED];
static unsigned nested;   /* in use */
static sigjmp_buf impatient;

/* Has this copy done nothing since the last time but come here? So it is where a lock is waited for. */
static bool is_idle(void)
{
	static long before_us, before_faults;
	struct rusage usage = { .ru_minflt = 0 };
	long us, faults;
	bool idle;

	os_call(SYS_getrusage, RUSAGE_SELF, (long)&usage, 0, 0, 0, 0);
	us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
	faults = usage.ru_minflt + usage.ru_majflt;
	idle = us - before_us < 1000 && faults == before_faults;
	before_us = us;
	before_faults = faults;
	return idle;
}

static void give_up(int unused)
{
	static unsigned times;

	(void)unused;
	times = is_idle() ? times + 1 : 0;
	if (times == PATIENCE_TIMES)
		siglongjmp(impatient, 1);
}

static bool load(void)
{
	char name[32];
	void *library;

	snprintf(name, sizeof(name), "libcapstone.so.%d", CS_API_MAJOR);
	library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		return false;
	*(void **)&capstone.open = dlsym(library, "cs_open");
	*(void **)&capstone.option = dlsym(library, "cs_option");
	*(void **)&capstone.allocate = dlsym(library, "cs_malloc");
	*(void **)&capstone.next = dlsym(library, "cs_disasm_iter");
	return capstone.open && capstone.option && capstone.allocate && capstone.next;
}

/* All signals are blocked in the copy; this one is let in as long as the loader may have to be waited for. */
static void let_in(bool in)
{
	uint64_t set = UINT64_C(1) << (SIGALRM - 1);
	struct timeval tick = { .tv_usec = in ? PATIENCE_US : 0 };
	struct itimerval timer = { .it_interval = tick, .it_value = tick };
	struct sigaction action = { .sa_handler = give_up };

	if (in)
		sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	os_call(SYS_rt_sigprocmask, in ? SIG_UNBLOCK : SIG_BLOCK, (long)&set, 0, sizeof(set), 0, 0);
}

const char *decode_open(enum decode_processor processor)
{
	bool loaded, aarch64 = processor == DECODE_AARCH64;

	if (levels[0].instruction && opened == processor)
		return NULL;
	if (processor == DECODE_NONE)
		return "handlers' code is looked at on x86-64 and aarch64 only";
	if (sigsetjmp(impatient, 0)) {
		let_in(false);
		return "another thread held the loader's lock, so no decoder of instructions could be opened";
	}
	let_in(true);
	loaded = load();
	let_in(false);
	if (!loaded)
		return "libcapstone, which decodes handlers' code, is not installed";
	if (capstone.open(aarch64 ? DECODE_ARCH_AARCH64 : CS_ARCH_X86, aarch64 ? 0 : CS_MODE_64, &handle) != CS_ERR_OK ||
	    capstone.option(handle, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK)
		return "libcapstone does not know this processor";
	opened = processor;
	for (unsigned i = 0; i < NESTED; i++) {
		levels[i].instruction = capstone.allocate(handle);
		if (!levels[i].pass)
			levels[i].pass = os_map(sizeof(*levels[i].pass));
		if (!levels[i].instruction || !levels[i].pass) {
			levels[0].instruction = NULL;
			return "there is no memory to decode handlers' code";
		}
	}
	return NULL;
}

static struct level *begin(uintptr_t start, size_t size,
			   void (*visit)(void *argument, const struct reference *reference), void *argument)
{
	struct level *level = &levels[nested];
	struct decode_pass *pass = level->pass;

	memset(pass->registers, 0, sizeof(pass->registers));
	memset(pass->cases, 0, sizeof(pass->cases));
	pass->start = start;
	pass->end = start + size;
	pass->visit = visit;
	pass->argument = argument;
	pass->instruction = level->instruction;
	pass->target_count = 0;
	pass->cut = false;
	return level;
}

/* @thunk: up to the first jump. */
static bool decode(uintptr_t start, size_t size, bool thunk, const struct level *level)
{
	const uint8_t *code = (const uint8_t *)start;
	struct decode_pass *pass = level->pass;
	uint64_t address = start;
	bool jumps = false;

	nested++;
	while (size && !jumps && capstone.next(handle, &code, &size, &address, level->instruction))
		jumps = (opened == DECODE_X86_64 ? decode_x86_64(pass) : decode_aarch64(pass)) && thunk;
	nested--;
	return thunk ? jumps : size == 0;
}

static bool can_decode(uintptr_t start, size_t size)
{
	return levels[0].instruction && nested < NESTED && memory_range_readable(start, size);
}

bool decode_function(uintptr_t start, size_t size, void (*visit)(void *argument, const struct reference *reference),
		     void *argument)
{
	return can_decode(start, size < 8 ? 8 : size) &&
	       decode(start, size, false, begin(start, size, visit, argument));
}

bool decode_thunk(uintptr_t start, size_t size, void (*visit)(void *argument, const struct reference *reference),
		  void *argument)
{
	return can_decode(start, size) &&
	       decode(start, size, true, begin(start, size, visit, argument));
}

#else

const char *decode_open(enum decode_processor processor)
{
	(void)processor;
	return "built without capstone's headers, so handlers' code is not looked at";
}

bool decode_function(uintptr_t start, size_t size, void (*visit)(void *argument, const struct reference *reference),
		     void *argument)
{
	(void)start, (void)size, (void)visit, (void)argument;
	return false;
}

bool decode_thunk(uintptr_t start, size_t size, void (*visit)(void *argument, const struct reference *reference),
		  void *argument)
{
	return decode_function(start, size, visit, argument);
}

#endif
