/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - FORKHELD_OUTPUT and FORKHELD_OPTIONS, read once in the constructor. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>

enum report_policy { REPORT_AUTO, REPORT_ALWAYS, REPORT_FINDINGS };
enum alloc_policy { ALLOC_ALL, ALLOC_NATIVE, ALLOC_PYTHON, ALLOC_OFF };

#define OPTIONS_FRAMES_MOST 64u

struct options {
	const char *output;         /* pattern; absolute: made so from the directory where the process started */
	enum report_policy report;
	uint64_t floor;             /* bytes: fork-only objects retaining less are not listed (4096) */
	uint64_t limit;             /* objects listed (10000) */
	uint64_t repeat;            /* FH004 (8) */
	uint64_t timeout;           /* seconds for an exit's analysis (60) */
	uint64_t memory;            /* bytes: cap of the copy's own memory (4 GiB); 0 none */
	bool argv;                  /* list all arguments, not only argv0 */
	enum alloc_policy alloc;    /* which allocations are recorded */
	uint64_t frames;            /* of an allocation's stack, innermost (1 to 64, default 64) */
	uint64_t sample;            /* bytes between two allocations that are recorded; 0: each is */
	uint64_t sites;             /* allocation sites listed, most bytes first (100) */
	bool leaks;                 /* list the blocks that nothing leads to */
	bool stop;                  /* hold other threads still while the copy is made (yes) */
	bool addresses;             /* add "address" to objects: for tests, it is host data */
};

extern struct options options;

/* options_init - parse the environment. Owner: own arena. Call once, before threads. A bad key or value is one line
 * on stderr and one note. */
void options_init(void);

/* options_note - the @index-th note ("options: unknown key 'x'"), or NULL past the last. */
const char *options_note(unsigned index);

#endif
