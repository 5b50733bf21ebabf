/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - one look at the process: decide whether a report is due, freeze, analyse, write. */
#ifndef SNAPSHOT_SNAPSHOT_H
#define SNAPSHOT_SNAPSHOT_H

enum snapshot_trigger { TRIGGER_EXIT, TRIGGER__EXIT, TRIGGER_EXEC, TRIGGER_API };

/* snapshot_init - in the constructor, after options_init: root of the tree or descendant (FORKHELD_TREE), output
 * directory, start time. */
void snapshot_init(void);

/* snapshot_take - for the three ends: does nothing where the report policy wants none or the final report of this
 * process image is already written. Never fails towards the host; errno unchanged. Takes the GIL into account
 * (python/attach.h): Python is analysed only where this thread holds it in a live interpreter.
 * Return: 0 written or not due, else a negative errno (the api trigger's result). */
int snapshot_take(enum snapshot_trigger trigger, const char *label);

/* snapshot_child - in a fork's child: a report of its own may be due. */
void snapshot_child(void);

#endif
