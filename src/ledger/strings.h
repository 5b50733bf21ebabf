/* SPDX-License-Identifier: Apache-2.0 */
/* strings.h - interned text: equal text is the same pointer, for ever. */
#ifndef LEDGER_STRINGS_H
#define LEDGER_STRINGS_H
#include <stddef.h>

/* strings_intern - Owner: the ledger; never freed. Thread: any. Signal: not safe. Fork: safe (reset by ledger_child).
 * Cost: one hash, a copy on first sight. Return: NULL if @text is NULL or memory ran out. */
const char *strings_intern(const char *text);
const char *strings_intern_n(const char *text, size_t length);

#endif
