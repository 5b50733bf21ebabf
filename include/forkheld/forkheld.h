/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forkheld.h - ask from inside a preloaded process.
 *
 * All three symbols are weak: a program that includes this header links and runs without the library, and then
 * sees NULL (test before calling, or use the FORKHELD_SNAPSHOT style below). From Python:
 * ctypes.CDLL(None).forkheld_snapshot(b"label").
 */
#ifndef FORKHELD_FORKHELD_H
#define FORKHELD_FORKHELD_H

#ifdef __cplusplus
extern "C" {
#endif

/* forkheld_snapshot - write a report of the process as it is now (trigger "api").
 * @label: copied into the report as snapshot.label; NULL for none. At most 255 bytes are kept.
 * Owner: the caller keeps @label. Thread: any, with or without the GIL; calls are serialised. Signal: not safe.
 * Fork: safe in parent and child; never call it from a fork handler. Blocks until the report is written.
 * Return: 0, or a negative errno: -EBUSY a snapshot is under way in this thread, -ETIMEDOUT the analysis ran out of
 * time or died (a report without retention was written), else what writing the file failed with. */
__attribute__((weak)) int forkheld_snapshot(const char *label);

/* forkheld_mark - make everything registered so far the baseline: it stays in the ledger, flagged, and gives no
 * finding in later reports.
 * Thread: any. Signal: safe. Fork: safe; a child inherits the mark. */
__attribute__((weak)) void forkheld_mark(void);

/* forkheld_version - the library's version, "MAJOR.MINOR.PATCH".
 * Owner: static storage, nothing to free. Thread: any. Signal: safe. Fork: safe. */
__attribute__((weak)) const char *forkheld_version(void);

#ifdef __cplusplus
}
#endif
#endif
