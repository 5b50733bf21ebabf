/* SPDX-License-Identifier: Apache-2.0 */
/* export.h - what the host's dynamic linker may see; the version script lists the same names. */
#ifndef ENTRY_EXPORT_H
#define ENTRY_EXPORT_H

#define EXPORT __attribute__((visibility("default")))

#endif
