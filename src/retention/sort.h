/* SPDX-License-Identifier: Apache-2.0 */
/* sort.h - node numbers into order. */
#ifndef RETENTION_SORT_H
#define RETENTION_SORT_H
#include <stdint.h>

/* sort_nodes - sort @nodes[@count] ascending. @spare: room for @count more if there are more than SORT_FEW. Linear, no
 * allocation, no recursion. */
#define SORT_FEW 64u
void sort_nodes(uint32_t *nodes, uint32_t count, uint32_t *spare);

#endif
