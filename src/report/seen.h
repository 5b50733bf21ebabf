/* SPDX-License-Identifier: Apache-2.0 */
/* seen.h - in how many snapshots of this process image a finding has been seen; shared with the frozen copies. */
#ifndef REPORT_SEEN_H
#define REPORT_SEEN_H
#include "report/findings.h"

/* seen_prepare - before the first copy is made, in the host: maps one shared page. Thread: any. Never fails loudly. */
void seen_prepare(void);
/* seen_child - in a fork's child: a process of its own counts anew. Signal: safe. */
void seen_child(void);
/* seen_note - count every finding of this snapshot and fill its seen. */
void seen_note(struct findings *findings);

#endif
