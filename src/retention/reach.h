/* SPDX-License-Identifier: Apache-2.0 */
/* reach.h - what is reached from ROOT, what only from FORK, along which shortest path, and what a cut would free. */
#ifndef RETENTION_REACH_H
#define RETENTION_REACH_H
#include "retention/graph.h"

enum reach { REACH_NONE, REACH_FORK, REACH_ROOT };  /* REACH_FORK: fork-only */

/* reach_mark - @reach[nodes] gets an enum reach, @parent[nodes] (may be NULL) the previous node on a shortest path,
 * or NODE_NONE at its start. Three breadth-first waves, the later ones never re-visiting: from NODE_NAMESPACE nodes
 * that ROOT reaches (a namespace that only FORK or garbage reaches does not seed), from the other NODE_ROOT nodes,
 * from NODE_REGISTRATION nodes. A path that starts at a namespace never runs through what alone keeps that
 * namespace alive (a class that lives through its instance): there the path comes from ROOT instead, by way of that
 * instance. It may still run through any other node: a path to a holder of an owner can pass the owner, see path.h.
 * Peak memory 8 bytes a node beyond the arguments. Linear. Return: 0 or -ENOMEM. */
int reach_mark(const struct graph *graph, uint8_t *reach, uint32_t *parent);

/* reach_mark_behind - the same, and which nodes ROOT reaches without passing any of those for which @behind[nodes] is 1
 * beforehand: it is 0 for these afterwards and 1 for the others (the given ones and what is behind them, what only FORK
 * reaches, garbage). Where two shortest paths from ROOT will do, @parent may have another one. */
int reach_mark_behind(const struct graph *graph, uint8_t *reach, uint32_t *parent, uint8_t *behind);

struct cut_edge { uint32_t from, to; };  /* all parallel edges of the pair */

/* reach_cut - the joint pass: mark from ROOT alone with the edges @cut (sorted by from, to) left out; @alive[nodes]
 * gets 1 where still reached. Linear. Return: 0 or -ENOMEM. */
int reach_cut(const struct graph *graph, const struct cut_edge *cut, uint32_t cuts, uint8_t *alive);

/* reach_freed - which nodes die if the registration nodes @dropped (sorted) and the edges @cut (sorted) go and all
 * other registrations and edges stay. @candidates[nodes]: non-zero for nodes that may die at all (not reached with
 * everything cut; garbage may be marked or not): the search never leaves them, so its cost is that of the part
 * below @dropped and @cut, not of the heap. Calls @dies(@context, node) once for each, in number order,
 * registration nodes excluded. Garbage (not reached with nothing cut) neither dies nor keeps anything. A pair in
 * @cut that is no edge changes nothing. For one registration and no cut the dominator tree says the same for less.
 * @scratch: struct reach_scratch of this graph, to be reused over many calls; reach_scratch_lend gives it what
 * reach_mark found (borrowed), else it looks once itself.
 * Needs graph_reverse. Return: number of nodes, or -ENOMEM. */
struct reach_scratch;
struct reach_scratch *reach_scratch_new(const struct graph *graph);
void reach_scratch_lend(struct reach_scratch *scratch, const uint8_t *reach);
void reach_scratch_free(struct reach_scratch *scratch);
int64_t reach_freed(const struct graph *graph, const uint8_t *candidates, const uint32_t *dropped, uint32_t drops,
		    const struct cut_edge *cut, uint32_t cuts, struct reach_scratch *scratch,
		    void (*dies)(void *context, uint32_t node), void *context);

#endif
