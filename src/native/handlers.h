/* SPDX-License-Identifier: Apache-2.0 */
/* handlers.h - native registrations judged against the modules: which are gone, which dangle, which outlive their
 * code. */
#ifndef NATIVE_HANDLERS_H
#define NATIVE_HANDLERS_H
#include <stdbool.h>
#include "ledger/registrations.h"

/* handlers_remove - after modules_refresh: decide of each finalised registration whether dlclose took it out of the
 * host's table (its module is unloaded, or the process went on after its handle was finalised) or whether the process
 * merely ends. Idempotent. Thread: any. Signal: safe. Fork: safe. */
void handlers_remove(void);

/* handlers_settle - at the start of a report, in the frozen copy: handlers_remove, and the names that were not
 * looked for before (native/names.h). The host's modules_refresh comes before the freeze. */
void handlers_settle(void);

/* handler_dangling - FH006, judged at the snapshot: still in the host's table, but a callable's module has been
 * unloaded (or unloaded and loaded anew), or its anonymous code was unmapped. Silent for handlers that dlclose
 * removed, for code of the main program and of startup modules, and for thunks in memory that is still mapped. */
bool handler_dangling(const struct registration *entry);

/* handler_foreign - FH007: dlclose of the module that a callable lies in would leave the registration behind.
 * Judged when it was made (handler_handle_foreign, kept in entry->foreign), when every module was still there; a
 * registration that dlclose has removed meanwhile is no risk any more. */
bool handler_foreign(const struct registration *entry);

/* handler_handle_foreign - the judgement itself, for a registration whose modules are filled in: a callable's
 * module can be unloaded (not a startup module, not nodelete), and the handle belongs to neither that module nor
 * one that keeps it loaded. The compat route records libc's handle, a NULL handle the main program's. Silent for
 * anonymous code. */
bool handler_handle_foreign(const struct registration *entry);

/* handler_in_fork - FH008: true if @entry was made inside a running handler, or dlclose removed it there. */
bool handler_in_fork(const struct registration *entry);

/* closing_in_fork - FH008, the other half: did dlclose really unload a module inside a running handler? (A handler that
 * calls exit finalises everything and unloads nothing.) */
bool closing_in_fork(const struct closing *closing);

#endif
