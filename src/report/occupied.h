/* SPDX-License-Identifier: Apache-2.0 */
/* occupied.h - the heap blocks that a Python object really occupies. Runs in the frozen copy. */
#ifndef REPORT_OCCUPIED_H
#define REPORT_OCCUPIED_H
#include <stdint.h>

#include "report/analysis.h"

/* occupied_bytes - of the object at @node: its own block; its buffers, which are blocks of CPython's allocators that it
 * points at and that are no objects themselves (nor a neighbour's buffer, which is only borrowed), and what hangs off
 * them; its __dict__ with its buffers, if nothing else refers to that. Each block once. Before anything is named.
 * Return: 0 if its block is not recorded. */
uint64_t occupied_bytes(struct analysis *analysis, uint32_t node);

#endif
