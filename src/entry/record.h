/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - an allocation of the host's becomes a record: who called (native/trace.h, python/objects.h) and when, as
 * a leaf of the call tree, under the block's address. The malloc family's wrappers call this and nothing else.
 *
 * Order, so that no other thread ever sees a record that is not its block's: a record is put after the real
 * allocation and taken before the real free. A realloc takes first; what it took goes back if the real one fails.
 *
 * Sampling (option sample=S, mean bytes between two recorded allocations): bytes allocated pass by as a Poisson
 * process, so a block of u usable bytes is recorded with probability p = 1 - exp(-u / S), whatever came before. A
 * reader scales by 1 / p: one record stands for 1 / p blocks and u / p bytes.
 *
 * The age of a record is looked at every RECORD_TICK allocations of a thread: of a process that was idle, a thread's
 * first few blocks afterwards may be taken for older than they are.
 */
#ifndef ENTRY_RECORD_H
#define ENTRY_RECORD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_TICK 256u

/* record_init - in the constructor, after options_init and trace_init. Until then blocks are recorded with their
 * caller alone. What will not be recorded, and why, goes to blocks_restrict. */
void record_init(void);

/* record_put - @block has been allocated: @frame: CALLER_FRAME() (base/caller.h). @block NULL: nothing happens.
 * record_take - @block is about to be freed or moved. Return: what record_put_back wants.
 * Thread: any. Signal, fork: safe; also in a vfork's child, whose heap is its parent's. errno unchanged. */
void record_put(void *block, const void *frame);
uint32_t record_take(void *block);
void record_put_back(void *block, uint32_t record);

/* record_sampled - with option sample: is an allocation of @size bytes one of those that are recorded? Each
 * allocation asks once. Thread: any. Signal: safe. */
bool record_sampled(size_t size);

/* record_before, record_after - around what CPython's allocator does for a block that gets a record of its own and is
 * not claimed (ledger/claim.h): the malloc below it is noted, in case that it serves something else, but not traced.
 * They nest, in one thread. */
void record_before(void);
void record_after(void);

#endif
