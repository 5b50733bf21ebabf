/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traces.h - the call tree of allocations. A node is a frame and its parent (the frame that called it), so that stacks
 * share what they have in common; a stack is the path from a node to the root. Node 0 is the root: no frame, and "not
 * known".
 *
 * Frames stand as found, in 64 bits; what they mean is asked when a report is written. Below the innermost frame stands
 * one node more, the leaf: what kind of memory was allocated and when. A block's record is the id of a leaf.
 */
#ifndef LEDGER_TRACES_H
#define LEDGER_TRACES_H
#include <stdbool.h>
#include <stdint.h>

#define TRACE_ROOT 0u
#define TRACES_MOST ((1u << 27) - 1)  /* ids fit 27 bits */

/* A key: two bits of tag, then what the tag says. */
enum trace_tag { TRACE_NATIVE, TRACE_PYTHON, TRACE_LEAF };
enum trace_kind { TRACE_MALLOC, TRACE_PYTHON_MEMORY, TRACE_PYTHON_OBJECT };

/* trace_native - return address @ip; @generation: native/trace.h's count of unloaded modules (its low 14 bits). */
static inline uint64_t trace_native(uintptr_t ip, uint32_t generation)
{
	return (uint64_t)TRACE_NATIVE << 62 | (uint64_t)(generation & 0x3fff) << 48 | (ip & 0xffffffffffff);
}
/* trace_python - @code: id of a code object's record (python/codes.h); @line: 0 unknown. */
static inline uint64_t trace_python(uint32_t code, uint32_t line)
{
	return (uint64_t)TRACE_PYTHON << 62 | (uint64_t)(line & 0x3fffffff) << 32 | code;
}
static inline uint64_t trace_leaf(enum trace_kind kind, uint32_t epoch)
{
	return (uint64_t)TRACE_LEAF << 62 | (uint64_t)kind << 32 | epoch;
}
static inline enum trace_tag trace_tag(uint64_t key) { return (enum trace_tag)(key >> 62); }

/* traces_child - the node for @key under @parent, made on first sight. A call that interrupts another in the same
 * thread, meets a fork of another's that takes long, or finds no memory, gets @parent back (counted: traces_lost).
 * Thread: any; a known node is found without a lock. Signal: safe in that sense. Fork: safe (traces_child_process).
 * errno unchanged. */
uint32_t traces_child(uint32_t parent, uint64_t key);

/* traces_leaf - the leaf of @kind under @node in the current epoch. */
uint32_t traces_leaf(uint32_t node, enum trace_kind kind);

/* traces_parent, traces_key - of a node; TRACE_ROOT has itself as its parent. traces_count - nodes, the root included.
 * Any thread, no lock, signal safe. */
uint32_t traces_parent(uint32_t id);
uint64_t traces_key(uint32_t id);
uint32_t traces_count(void);
uint64_t traces_lost(void);

/* Epochs: age without a clock in every record. An epoch lasts an eighth of the process's age, at least 100 ms.
 * traces_epoch - the current one; a plain load. traces_tick - called every few thousand allocations and on slow
 * paths: looks at the clock and begins a new epoch where one is due. traces_epoch_ns - CLOCK_MONOTONIC at which
 * @epoch began. */
extern uint32_t traces_epoch_now __attribute__((visibility("hidden")));
static inline uint32_t traces_epoch(void) { return __atomic_load_n(&traces_epoch_now, __ATOMIC_RELAXED); }
void traces_tick(void);
uint64_t traces_epoch_ns(uint32_t epoch);

/* The fork protocol, called by the ledger's own (registrations.h). */
void traces_prepare(void);
void traces_parent_process(void);
void traces_child_process(void);
void traces_thaw(void);

#endif
