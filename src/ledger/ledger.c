/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's lock and its part of the fork protocol. The call tree has a lock of its own, taken after this one:
 * allocations do not wait for registrations. The live blocks have none. */
#include "ledger/internal.h"
#include "ledger/registrations.h"
#include "ledger/traces.h"

struct lock ledger_lock;
struct arena ledger_arena;

/* Of the thread that forks: a fork out of a signal handler that interrupted the ledger finds the lock its own. */
static __thread bool held __attribute__((tls_model("initial-exec")));

void ledger_prepare(void)
{
	held = lock_take(&ledger_lock);
	traces_prepare();
}

void ledger_parent(void)
{
	traces_parent_process();
	if (held)
		lock_release(&ledger_lock);
	held = false;
}

void ledger_child(void)
{
	held = false;
	traces_child_process();
	lock_reset(&ledger_lock);
	registrations_inherit();
}

void ledger_thaw(void)
{
	traces_thaw();
	lock_reset(&ledger_lock);
}
