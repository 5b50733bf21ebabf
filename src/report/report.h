/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - analyse what the ledgers and the heap show, and write it. Runs in the frozen copy (or in place). */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H
#include <stdbool.h>
#include <stdint.h>

struct halted;

struct report_request {
	const char *trigger, *label;      /* as in the report; label may be NULL */
	uint32_t sequence;                /* of this snapshot in the process, from 1 */
	int32_t pid, ppid;                /* of the host: the copy has a pid of its own */
	uintptr_t host_sp;                /* of this thread's stack: below lies what is this library's own */
	bool in_place;                    /* isolation */
	bool alone;                       /* the host had no other thread */
	const struct halted *halted;      /* else, where they stood; NULL if nobody stopped them */
	bool with_python;                 /* this thread holds the GIL of a live interpreter */
	bool ledger_only;                 /* no heap: the second try after the first copy died */
	const char *reason;               /* why incomplete, or NULL */
	bool findings_only;               /* report=findings: write nothing (return 0) if there are none */
	uint64_t start_time_ns;           /* CLOCK_REALTIME at which this process image started */
	uint64_t pause_ns;                /* of the freeze; written by the parent into memory shared with the copy: */
	const volatile uint64_t *shared_pause_ns; /* read when the report is written, NULL: use pause_ns */
	int (*open)(void *);              /* gives the descriptor to write to, or a negative errno */
	int (*close)(void *, int fd, bool good); /* publish (good) or remove; 0 or a negative errno */
	void *file;                       /* argument of both */
};

/* report_looks_around - will report_make look for pointers in all memory? Other threads' registers are wanted then. */
bool report_looks_around(const struct report_request *request);

/* report_make - the whole pass. Return: 1 written, 0 nothing to write, or a negative errno. */
int report_make(const struct report_request *request);

#endif
