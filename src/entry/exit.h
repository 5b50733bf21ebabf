/* SPDX-License-Identifier: Apache-2.0 */
/* exit.h - the ends of a process: exit and return from main, _exit, _Exit, quick_exit. */
#ifndef ENTRY_EXIT_H
#define ENTRY_EXIT_H

/* exit_init - in the constructor: hook the end of exit() (after all ELF destructors) and of quick_exit() (after its
 * handlers), find the real _exit. */
void exit_init(void);

#endif
