/* SPDX-License-Identifier: Apache-2.0 */
/* cut.h - looking up edges in a sorted list of cut ones. */
#ifndef RETENTION_CUT_H
#define RETENTION_CUT_H
#include "retention/reach.h"

/* cut_has - is the edge @from, @to in @cut (sorted by from, to)? Cost: log2(@cuts). */
static inline bool cut_has(const struct cut_edge *cut, uint32_t cuts, uint32_t from, uint32_t to)
{
	uint32_t low = 0, high = cuts;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (cut[middle].from < from || (cut[middle].from == from && cut[middle].to < to))
			low = middle + 1;
		else
			high = middle;
	}
	return low < cuts && cut[low].from == from && cut[low].to == to;
}

#endif
