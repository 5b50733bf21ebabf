/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - the names that were too dear to look for in the host process. */
#ifndef NATIVE_NAMES_H
#define NATIVE_NAMES_H

/* names_complete - look for the names that native frames and callables lack in their modules' files and put them
 * into the ledger. Opens files: only in the frozen copy, or where a process analyses itself in place at its end. */
void names_complete(void);

/* names_frames - the part of it that is about frames: those that have come since it was last called. */
void names_frames(void);

#endif
