/* SPDX-License-Identifier: Apache-2.0 */
/* load_parts.h - the tables of a report, with their references resolved. For load.c only. */
#ifndef TOOLS_LOAD_PARTS_H
#define TOOLS_LOAD_PARTS_H
#include "fields.h"
#include "model.h"

/* read_parts - modules, frames, stacks, registrations, objects, blocks, forks and findings into @report. */
void read_parts(struct fields *fields, const struct node *root, struct report *report);

#endif
