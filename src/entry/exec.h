/* SPDX-License-Identifier: Apache-2.0 */
/* exec.h - the exec family, wrapped. */
#ifndef ENTRY_EXEC_H
#define ENTRY_EXEC_H

/* exec_init - in the constructor: find the real functions, so that a vfork's child need not. */
void exec_init(void);

#endif
