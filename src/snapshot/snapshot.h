/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - one look at the process: decide whether a report is due, freeze, analyse, write. */
#ifndef SNAPSHOT_SNAPSHOT_H
#define SNAPSHOT_SNAPSHOT_H
#include <stdbool.h>

enum snapshot_trigger { TRIGGER_EXIT, TRIGGER__EXIT, TRIGGER_EXEC, TRIGGER_API };

/* snapshot_init - in the constructor, after options_init: root of the tree or descendant (FORKHELD_TREE), output
 * directory, start time. */
void snapshot_init(void);

/* snapshot_take - for the three ends: does nothing where the report policy wants none, where the final report of this
 * process image is already written, in a vfork child and in the frozen copy. Never fails towards the host; errno
 * unchanged. Python is looked at only where this thread holds the GIL of a live interpreter (api: takes it).
 * Thread: any, calls are serialised: an end in one thread waits for the report that another is at.
 * Signal: an end called from a handler that interrupted a snapshot waits for that one.
 * Return: 0 written or not due, else a negative errno (forkheld_snapshot's result). */
int snapshot_take(enum snapshot_trigger trigger, const char *label);

/* snapshot_before_leaving, snapshot_after_leaving - around a call of the host's that may put the reports' directory out
 * of reach. In a vfork's child nothing is done. Return: true if the second has to be called. errno unchanged. */
bool snapshot_before_leaving(void);
void snapshot_after_leaving(void);

/* snapshot_child - in a fork's child: a report of its own may be due. @successor: it carries on as what its parent was
 * (daemon(3) ends the parent where no hook sees it): the root of a tree stays one. Signal: safe. */
void snapshot_child(bool successor);

#endif
