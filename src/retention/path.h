/* SPDX-License-Identifier: Apache-2.0 */
/* path.h - by which way a holder lives that does not go through what it holds. */
#ifndef RETENTION_PATH_H
#define RETENTION_PATH_H
#include "retention/dominators.h"
#include "retention/reach.h"

/* What is known of a graph, from the passes before. Borrowed. */
struct path_map {
	const struct graph *graph;           /* with graph_reverse */
	const struct dominators *dominators;
	const uint8_t *reach;                /* of reach_mark */
	const uint32_t *parent;
};

/* path_search_new - scratch for path_to, to be reused over many calls. The map must outlive it. NULL: no memory. */
struct path_search;
struct path_search *path_search_new(const struct path_map *map);
void path_search_free(struct path_search *search);

/* path_to - a path to @node that does not pass @avoid (NODE_NONE: nothing to avoid): from a namespace, a NODE_ROOT
 * or a registration that lives without @avoid, to @node inclusive. reach_mark's own where that will do, else the
 * shortest that searching backwards finds; nothing that @avoid dominates is entered. Written to @path if it has at
 * most @room nodes. Cost: @room at most; searching, the sources on the way, of which it gives up after some ten
 * thousand; and what dominators_above costs. Return: number of nodes of the path (more than @room: at least so
 * many), 0 if there is none (garbage, @avoid dominates @node, given up), or -ENOMEM. */
int64_t path_to(struct path_search *search, uint32_t node, uint32_t avoid, uint32_t *path, uint32_t room);

#endif
