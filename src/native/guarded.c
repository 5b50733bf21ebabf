/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "native/guarded.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include "base/os.h"

static sigjmp_buf fault;

static void jump_out(int unused)
{
	(void)unused;
	siglongjmp(fault, 1);
}

/* All signals are blocked in the copy: a fault would kill it. */
static void let_in(bool in)
{
	uint64_t set = UINT64_C(1) << (SIGSEGV - 1) | UINT64_C(1) << (SIGBUS - 1);
	struct sigaction action = { .sa_handler = in ? jump_out : SIG_DFL };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	os_call(SYS_rt_sigprocmask, in ? SIG_UNBLOCK : SIG_BLOCK, (long)&set, 0, sizeof(set), 0, 0);
}

bool guarded_call(void (*work)(void *argument), void *argument)
{
	bool done = sigsetjmp(fault, 0) == 0;

	if (done) {
		let_in(true);
		work(argument);
	}
	let_in(false);
	return done;
}
