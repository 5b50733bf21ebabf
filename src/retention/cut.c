/* SPDX-License-Identifier: Apache-2.0 */
#include "retention/cut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ALIVE = 1, CUT_FROM = 2 };  /* only nodes with a cut edge pay for the look-up */

int reach_cut(const struct graph *graph, const struct cut_edge *cut, uint32_t cuts, uint8_t *alive)
{
	uint32_t *stack = malloc(((size_t)graph->nodes + 1) * sizeof(*stack)), depth = 0;

	if (!stack)
		return -ENOMEM;
	memset(alive, 0, graph->nodes);
	for (uint32_t i = 0; i < cuts; i++)
		alive[cut[i].from] = CUT_FROM;
	for (uint32_t node = 0; node < graph->nodes; node++) {
		if (graph->flags[node] & NODE_ROOT) {
			alive[node] |= ALIVE;
			stack[depth++] = node;
		}
	}
	while (depth) {
		uint32_t node = stack[--depth];
		bool check = alive[node] & CUT_FROM;

		for (uint32_t edge = graph->first[node]; edge < graph->first[node + 1]; edge++) {
			uint32_t target = graph->target[edge];

			if (alive[target] & ALIVE || (check && cut_has(cut, cuts, node, target)))
				continue;
			alive[target] |= ALIVE;
			stack[depth++] = target;
		}
	}
	for (uint32_t i = 0; i < cuts; i++)
		alive[cut[i].from] &= ALIVE;
	free(stack);
	return 0;
}
