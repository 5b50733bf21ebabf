/* SPDX-License-Identifier: Apache-2.0 */
/* copy.h - what a frozen copy gives up before it works: descriptors, signals, cores, its place in the OOM queue. */
#ifndef SNAPSHOT_COPY_H
#define SNAPSHOT_COPY_H
#include <sys/types.h>

/* copy_settle - called once, first thing in the copy, all signals blocked. @parent: the pid that made the copy; if it
 * is gone already the copy ends here. Descriptors but @keep_fd are closed; 0 to 2 then lead nowhere, so that a
 * message of some library never ends up in the report. Every step is best effort. */
void copy_settle(int keep_fd, pid_t parent);

#endif
