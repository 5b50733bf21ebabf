/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - which process of a tree of preloaded processes is this one? */
#ifndef SNAPSHOT_TREE_H
#define SNAPSHOT_TREE_H
#include <stdbool.h>

/* tree_init - in the constructor: root if FORKHELD_TREE is not there, or names this very process (exec keeps the pid).
 * Puts it into environ if it is missing; the host's malloc and its own copy of the array are not touched. */
void tree_init(void);

/* tree_root - the first preloaded process of its tree. */
bool tree_root(void);

/* tree_child - in a fork's child: a descendant from now on. */
void tree_child(void);

#endif
