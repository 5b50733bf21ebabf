/* SPDX-License-Identifier: Apache-2.0 */
/* late.h - a Python that arrives after the start. */
#ifndef ENTRY_LATE_H
#define ENTRY_LATE_H

/* late_look - attach to a libpython that has been loaded since the last look. Cheap when nothing was loaded.
 * Thread: any. Signal: not safe. Not in a fork handler. */
void late_look(void);

#endif
