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
	const struct gathered *gathered;
	uint32_t *account;   /* [mark.count] sequence of a registration, NOBODY, SEVERAL */
	uint32_t *queue;     /* blocks and slots whose account has changed: each changes twice at most */
	uint32_t count;
};

static void charge(struct sharing *sharing, uint32_t block, uint32_t account)
{
	uint32_t before = sharing->account[block];
	if (before == account || before == SEVERAL)
		return;
	sharing->account[block] = before == NOBODY ? account : SEVERAL;
	sharing->queue[sharing->count++] = block;
}

static void spread(struct sharing *sharing)
{
	for (uint32_t next = 0; next < sharing->count; next++) {
		uint32_t from = sharing->queue[next], block;
		kept_expect(&sharing->gathered->mark, sharing->queue, next, sharing->count);
		for (uintptr_t at = 0; (block = kept_next(sharing->gathered, from, &at)) != MARK_FREE;)
			charge(sharing, block, sharing->account[from]);
	}
}

static uint32_t account_of(const struct kept *kept, uint32_t slot)
{
	uint32_t registration = kept->of_slot[slot].readers ? REGISTRATION_NONE : slots_alone(&kept->slots.list[slot]);
	return registration == REGISTRATION_NONE ? SEVERAL : registration;
}

int kept_share(struct kept *kept, const struct gathered *gathered)
{
	struct sharing sharing = {.gathered = gathered};
	const struct mark *mark = &gathered->mark;
	sharing.account = malloc((mark->count + (size_t)1) * sizeof *sharing.account);
	sharing.queue = malloc((mark->count + (size_t)1) * 2 * sizeof *sharing.queue);
	int result = sharing.account && sharing.queue ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < mark->count && result == 0; i++)
		sharing.account[i] = NOBODY;
	for (uint32_t i = 0; i < kept->slots.count && result == 0; i++)
		charge(&sharing, gathered->slot[i], account_of(kept, i));
	if (result == 0)
		spread(&sharing);
	for (uint32_t i = 0; i < mark->count && result == 0; i++)
		if (kept_in(gathered, i) && sharing.account[i] < SEVERAL)
			kept->alone[sharing.account[i]] += mark_size(mark, i);
	free(sharing.account);
	free(sharing.queue);
	return result;
}
