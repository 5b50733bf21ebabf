/* SPDX-License-Identifier: Apache-2.0 */
/* leave.h - chroot and the calls that change the user, wrapped: the reports' directory stays within reach. */
#ifndef ENTRY_LEAVE_H
#define ENTRY_LEAVE_H

/* leave_init - in the constructor: find the real functions, so that a vfork's child need not. */
void leave_init(void);

#endif
