/* SPDX-License-Identifier: Apache-2.0 */
/* libc.h - the C library that this library is built for, glibc or musl, and what differs between them. The one place
 * that knows, but for the symbols that entry/atfork.c stands in for. */
#ifndef BASE_LIBC_H
#define BASE_LIBC_H
#include <features.h>
#include <stdbool.h>

#ifdef __GLIBC__
#define LIBC_NAME "glibc"
enum {
	LIBC_UNLOADS = true,          /* dlclose takes code away, and what the module registered with it */
	LIBC_REALLOC_FREES = true,    /* realloc(block, 0) frees and gives NULL */
	LIBC_ALLOCATES_UNSEEN = false /* blocks of its own among the host's that come through none of malloc's names */
};
#else
#define LIBC_NAME "musl"
enum {
	LIBC_UNLOADS = false,
	LIBC_REALLOC_FREES = false,
	/* TLS of what is dlopened, callbacks of atexit: it calls its own malloc by another name. */
	LIBC_ALLOCATES_UNSEEN = true
};
#endif

/* libc_learn - what libc_version says. musl has no call for it: its image is searched, which takes a millisecond, for
 * the one string that looks like a version, and the loader's lock is taken, which nobody may wait for in the frozen
 * copy: so before that. Thread: one. */
void libc_learn(void);

/* libc_version - "2.36"; NULL if it cannot be had. For the frozen copy. */
const char *libc_version(void);

/* libc_bears_marks - up to 2.35 glibc aborts in a fork whose handlers unload a library, when others stand behind the
 * one that does. Any thread. */
bool libc_bears_marks(void);

#endif
