/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h - the file that a report goes to: found by pattern, never over an existing one, whole or not at all.
 *
 * The directory is known by its absolute path, so chdir does not move it. It is not kept open: programs do look at
 * their descriptors (CPython's own tests at every one up to the limit). Only when a chroot or a change of the user
 * takes the path away it is held.
 */
#ifndef REPORT_FILE_H
#define REPORT_FILE_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FILE_NAME_ROOM 256

/* One report on its way. The caller's memory; filled by file_prepare, before the copy is made. */
struct report_file {
	int directory;              /* descriptor to keep open in the copy, or -1: opened by path when needed */
	pid_t pid;                  /* of the host */
	uint32_t sequence;
	char path[4096];            /* directory, used where directory is -1 */
	char name[FILE_NAME_ROOM];  /* expanded, without the suffix .1, .2 ... of a name that is taken */
	char temporary[64];         /* ".forkheld.PID.SEQUENCE.tmp" */
};

/* file_init - in the constructor: take options.output apart, note which directory it means now. */
void file_init(void);

/* file_hold - before a call that may put the directory out of reach: open it, by path only, closed at exec, under a
 * high number. file_let_go - after the call: close it if the path still leads there. errno unchanged.
 * Return: was it opened? */
bool file_hold(void);
void file_let_go(void);

/* file_prepare - expand the pattern for snapshot @sequence of process @pid. No allocation. Thread: the caller
 * serialises. Signal: safe. Return: 0 or a negative errno. */
int file_prepare(struct report_file *file, pid_t pid, uint32_t sequence);

/* file_open, file_close - struct report_request's open and close (report/report.h); @file is a struct report_file.
 * Mode 0600 whatever the umask. Not published: nothing is left. Return: a descriptor (above 2) / 0; or a negative
 * errno. */
int file_open(void *file);
int file_close(void *file, int fd, bool good);

/* file_discard - in the parent of a copy that died: remove what it may have left. */
void file_discard(const struct report_file *file);

#endif
