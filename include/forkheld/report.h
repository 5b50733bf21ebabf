/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - the vocabulary of a report: what the shim writes and the tools read. The only header that src/ and
 * tools/ share. Texts only; no code, nothing to link. The JSON Schema beside the man pages says the same.
 */
#ifndef FORKHELD_REPORT_H
#define FORKHELD_REPORT_H

#define FORKHELD_SCHEMA "forkheld-report/1"

/* Rules: X(id, name, usual level). FH002, FH003 and FH005 also occur with the second level of the documentation. */
#define FORKHELD_RULES(X) \
	X(FH001, "fork-only-object", "error") \
	X(FH002, "joint-retention", "error") \
	X(FH003, "dead-weak-callback", "warning") \
	X(FH004, "repeated-registration", "warning") \
	X(FH005, "fork-only-block", "error") \
	X(FH006, "dangling-handler", "error") \
	X(FH007, "foreign-handle", "warning") \
	X(FH008, "registered-in-handler", "warning")

#define FORKHELD_LEVEL_ERROR "error"
#define FORKHELD_LEVEL_WARNING "warning"
#define FORKHELD_LEVEL_NOTE "note"

/* Capabilities, in the order in which a report lists them. States: "full", "partial", "none". */
#define FORKHELD_CAPABILITIES(X) \
	X(NATIVE_REGISTRATIONS, "native.registrations") \
	X(NATIVE_STACKS, "native.stacks") \
	X(PYTHON_REGISTRATIONS, "python.registrations") \
	X(PYTHON_RETENTION, "python.retention") \
	X(BLOCKS, "blocks") \
	X(BLOCKS_STACKS, "blocks.stacks") \
	X(OBJECTS_STACKS, "objects.stacks") \
	X(NATIVE_RETENTION, "native.retention") \
	X(ISOLATION, "isolation")

/* Phases, in ledger order. */
#define FORKHELD_PHASE_BEFORE "before"
#define FORKHELD_PHASE_PARENT "parent"
#define FORKHELD_PHASE_CHILD "child"

/* Verdicts on an owner. */
#define FORKHELD_FORK_ONLY "fork-only"
#define FORKHELD_JOINT "joint"
#define FORKHELD_IN_USE "in-use"

/* Kinds of a holder, X(identifier, text). */
#define FORKHELD_HOLDER_KINDS(X) \
	X(CLASS_ATTRIBUTE, "class-attribute") \
	X(MODULE_ATTRIBUTE, "module-attribute") \
	X(INSTANCE, "instance") \
	X(THREAD, "thread") \
	X(FRAME, "frame") \
	X(ATEXIT, "atexit") \
	X(CONTEXT, "context") \
	X(C_REFERENCE, "c-reference") \
	X(FORK_REGISTRATION, "fork-registration")

/* Environment. */
#define FORKHELD_ENV_OUTPUT "FORKHELD_OUTPUT"   /* pattern: %p pid, %e executable, %n snapshot number, %% */
#define FORKHELD_ENV_OPTIONS "FORKHELD_OPTIONS" /* key=value:key=value */
#define FORKHELD_ENV_TREE "FORKHELD_TREE"       /* pid of the first preloaded process of a tree */
#define FORKHELD_DEFAULT_OUTPUT "forkheld.%p.json"

#endif
