/* SPDX-License-Identifier: Apache-2.0 */
/* Where it all begins. Hooks may be called earlier, by other libraries' constructors: each finds its own way then. */
#include "base/options.h"
#include "entry/alloc.h"
#include "entry/atfork.h"
#include "entry/exec.h"
#include "entry/exit.h"
#include "entry/leave.h"
#include "entry/record.h"
#include "native/modules.h"
#include "native/trace.h"
#include "python/attach.h"
#include "python/objects.h"
#include "snapshot/snapshot.h"

#include <errno.h>
#include <stddef.h>

/* The callback that runs last among Python's own at exit, with the GIL and all modules still whole. */
static void python_at_exit(void)
{
	snapshot_take(TRIGGER_EXIT, NULL);
}

static void allocations_init(void)
{
	bool all = options.alloc == ALLOC_ALL, objects = all || options.alloc == ALLOC_PYTHON;

	trace_init((unsigned)options.frames);
	objects_configure(objects, all ? trace_here_proven : NULL, record_before, record_after,
			  all && !options.sample ? alloc_clear : NULL);
	if (options.sample)
		objects_sample(record_sampled);
	record_init();
	alloc_python();
}

static __attribute__((constructor)) void start(void)
{
	int saved = errno;

	alloc_init();
	options_init();
	modules_refresh();
	atfork_init();
	snapshot_init();
	allocations_init();
	python_init(python_at_exit);
	trace_stop_at(objects_evaluator());
	exec_init();
	leave_init();
	exit_init();
	errno = saved;
}
