/* SPDX-License-Identifier: Apache-2.0 */
/* kept_parts.h - what kept.c's work consists of, after the mark. Frozen copy; 0 or -ENOMEM. */
#ifndef REPORT_KEPT_PARTS_H
#define REPORT_KEPT_PARTS_H
#include "report/gather.h"
#include "report/kept.h"

/* What leads where among slots and kept blocks, its nodes. Numbers: of slots their indexes, then of blocks in the order
 * of a walk in breadth from all slots. Memory: 8 bytes a node and 4 an edge; words in a row that lead to the same node
 * are one edge. */
struct kept_graph {
	uint32_t slots, count, edges;
	uint32_t *block;   /* [count] index in the mark */
	uint32_t *first;   /* [count + 1] of @edge: where those begin that are its own */
	uint32_t *edge;    /* [edges] numbers, in the order of the words */
};

/* kept_in - is @block of the mark one that slots alone lead to? */
static inline bool kept_in(const struct gathered *gathered, uint32_t block)
{
	return gathered->kind[block] == GATHER_NATIVE && gathered->mark.block[block].label < MARK_OUTSIDE;
}

/* kept_leads - has @block (of the mark) a word that leads to a kept block, a slot or a closure, by its code as well? */
bool kept_leads(const struct gathered *gathered, uint32_t block);

/* kept_closures - after the mark: take back what those closures lead to whose address something else knows. */
int kept_closures(const struct kept *kept, struct gathered *gathered, const struct roots *roots);

/* kept_graph - after that; @graph: zeroed, kept_graph_finish in any case. The labels of kept blocks become their
 * numbers. */
int kept_graph(struct kept_graph *graph, struct gathered *gathered);
void kept_graph_finish(struct kept_graph *graph);

/* kept_readers - who else works with the slots that lead to something. kept_list - count the blocks, and list
 * the first @most, each once. kept_share - fill in @alone. In this order. */
int kept_readers(struct kept *kept, const struct kept_graph *graph);
int kept_list(struct kept *kept, const struct kept_graph *graph, const struct mark *mark, uint32_t most);
int kept_share(struct kept *kept, const struct kept_graph *graph, const struct mark *mark);

#endif
