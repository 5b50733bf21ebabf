/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - what a command line would execute, found by looking at files: nothing of it is run. */
#ifndef TOOLS_PROGRAM_H
#define TOOLS_PROGRAM_H
#include <limits.h>
#include <stdbool.h>

enum program_python { PYTHON_NONE, PYTHON_SHARED, PYTHON_STATIC };

struct program {
	char path[PATH_MAX];            /* the program behind scripts (#!) and env */
	char via[PATH_MAX];             /* the first script, or "" */
	int error;                      /* negative errno: there is no such program, or no right to execute it */
	bool unreadable;                /* it may be executed but not read: nothing below is known */
	bool elf;                       /* of this machine's class, order and instruction set */
	bool is_static, is_setuid, gcc_asan, clang_asan, loader, clears_environment;
	char interpreter[256];          /* PT_INTERP */
	const char *allocator;          /* NULL: libc's; else the name of one linked into the program */
	const char *hidden_allocator;   /* one in the program under names of its own, beside malloc; or NULL */
	char needed_allocator[64];      /* a shared library with one, or "" */
	bool cplusplus;                 /* needs a C++ library */
	bool build_id;                  /* has one */
	enum program_python python;
	int python_minor;               /* of Python 3; -1 unknown */
	char python_version[32];        /* as exactly as it can be told */
	bool free_threaded;
};

/* program_find - look up @argv[0] as execvp would, follow #! and env, inspect the end of that. */
void program_find(struct program *program, char *const *argv);

/* program_obstacle - one clause that says why no report of it is possible ("is statically linked: ..."), or NULL. */
const char *program_obstacle(const struct program *program);

#endif
