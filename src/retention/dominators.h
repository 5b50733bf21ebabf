/* SPDX-License-Identifier: Apache-2.0 */
/* dominators.h - who must go for a node to go: the dominator tree under {ROOT, FORK}, and sizes over it. */
#ifndef RETENTION_DOMINATORS_H
#define RETENTION_DOMINATORS_H
#include "retention/graph.h"

struct dominators {
	uint32_t nodes;
	uint32_t *parent;       /* [nodes] immediate dominator: a node, NODE_VIRTUAL_ROOT or _FORK, or NODE_NONE */
	uint32_t *first_child;  /* [nodes] children as linked lists, ascending; NODE_NONE at the end */
	uint32_t *next_sibling; /* [nodes] */
	uint32_t *enter;        /* [nodes] after dominators_number: when a walk of the tree comes to a node, ... */
	uint32_t *leave;        /* [nodes] ... and how many it has come to when it has seen all below */
};

/* dominators_compute - over both virtual roots (a super-root above them: a node reached from both has
 * NODE_VIRTUAL_ROOT). Needs graph_reverse. Peak memory at most 20 bytes a node beyond the result; near-linear
 * (Semi-NCA; leaves with one source fall to that). On an error there is nothing to finish. Return: 0 or -ENOMEM. */
int dominators_compute(const struct graph *graph, struct dominators *result);

/* dominators_compute_behind - the same for what reach_mark_behind found to be @behind some nodes: exact for who is
 * dominated by one of these nodes, or by one behind them, or by FORK. The rest of the graph, which nothing of that can
 * dominate, falls to NODE_VIRTUAL_ROOT as a whole, at no cost. */
int dominators_compute_behind(const struct graph *graph, const uint8_t *behind, struct dominators *result);
void dominators_finish(struct dominators *dominators);

/* dominators_visit - call @visit for @node and everything it dominates. Iterative; no allocation. */
void dominators_visit(const struct dominators *dominators, uint32_t node, void (*visit)(void *context, uint32_t node),
		      void *context);

/* dominators_number - so that dominators_above costs nothing: a chain of a million objects is a tree a million deep.
 * Linear; 8 bytes a node. Return: 0 or -ENOMEM. */
int dominators_number(struct dominators *dominators);

/* dominators_above - does @above dominate @node (or equal it)? Cost: depth of @node, unless numbered. */
bool dominators_above(const struct dominators *dominators, uint32_t above, uint32_t node);

/* dominators_retained - sizes of the subtrees of @wanted nodes in one pass over their union: @objects[i], @bytes[i]
 * for wanted[i]; doubles allowed; what nothing reaches retains itself. @size(context, node) is called at most once for
 * each node in those subtrees. Takes 4 bytes a node of the whole graph for a while: one call for all wanted nodes.
 * Return: 0 or -ENOMEM. */
int dominators_retained(const struct dominators *dominators, const uint32_t *wanted, uint32_t count,
			uint64_t (*size)(void *context, uint32_t node), void *context, uint64_t *objects,
			uint64_t *bytes);

#endif
