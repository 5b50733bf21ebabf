/* SPDX-License-Identifier: Apache-2.0 */
/* semi.h - immediate dominators by semidominators; the engine of dominators.c, which alone includes this. */
#ifndef RETENTION_SEMI_H
#define RETENTION_SEMI_H
#include "retention/graph.h"

/* semi_dominators - fill @parent[nodes] as struct dominators has it; @behind as in dominators_compute_behind, or NULL.
 * @number and @stack: [nodes + 1] scratch, left undefined. Needs graph_reverse. Cost: O(edges * log nodes) at worst,
 * near-linear on heaps; 20 bytes for each node with out-edges or several sources beyond the arguments.
 * Return: 0 or -ENOMEM. */
int semi_dominators(const struct graph *graph, const uint8_t *behind, uint32_t *parent, uint32_t *number,
		    uint32_t *stack);

#endif
