/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would go if one native registration alone went: blocks to which no path leads but from slots that are its
 * own, which neither another registration's handlers nor ordinary code works with.
 */
#include <errno.h>
#include <stdlib.h>

#include "ledger/registrations.h"
#include "report/kept_parts.h"

#define NOBODY UINT32_MAX
#define SEVERAL (UINT32_MAX - 1)

struct sharing {
	const struct kept_graph *graph;
	uint32_t *account;   /* [graph->count] sequence of a registration, NOBODY, SEVERAL */
	uint32_t *queue;     /* blocks and slots whose account has changed: each changes twice at most */
	uint32_t count;
};

static void charge(struct sharing *sharing, uint32_t node, uint32_t account)
{
	uint32_t before = sharing->account[node];
	if (before == account || before == SEVERAL)
		return;
	sharing->account[node] = before == NOBODY ? account : SEVERAL;
	sharing->queue[sharing->count++] = node;
}

static void spread(struct sharing *sharing)
{
	for (uint32_t next = 0; next < sharing->count; next++) {
		uint32_t from = sharing->queue[next];
		for (uint32_t i = sharing->graph->first[from]; i < sharing->graph->first[from + 1]; i++)
			charge(sharing, sharing->graph->edge[i], sharing->account[from]);
	}
}

static uint32_t account_of(const struct kept *kept, uint32_t slot)
{
	uint32_t registration = kept->of_slot[slot].readers ? REGISTRATION_NONE : slots_alone(&kept->slots.list[slot]);
	return registration == REGISTRATION_NONE ? SEVERAL : registration;
}

int kept_share(struct kept *kept, const struct kept_graph *graph, const struct mark *mark)
{
	struct sharing sharing = {.graph = graph};
	sharing.account = malloc((graph->count + (size_t)1) * sizeof *sharing.account);
	sharing.queue = malloc((graph->count + (size_t)1) * 2 * sizeof *sharing.queue);
	int result = sharing.account && sharing.queue ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < graph->count && result == 0; i++)
		sharing.account[i] = NOBODY;
	for (uint32_t i = 0; i < graph->slots && result == 0; i++)
		charge(&sharing, i, account_of(kept, i));
	if (result == 0)
		spread(&sharing);
	for (uint32_t i = graph->slots; i < graph->count && result == 0; i++)
		if (sharing.account[i] < SEVERAL)
			kept->alone[sharing.account[i]] += mark_size(mark, graph->block[i]);
	free(sharing.account);
	free(sharing.queue);
	return result;
}
