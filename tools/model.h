/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - a report, validated: every reference is a pointer to what it names, every text is fit for a terminal
 * (clean.h), every number is at least 0 or UNKNOWN. Plain data, read-only once loaded; all of it is the report's.
 */
#ifndef TOOLS_MODEL_H
#define TOOLS_MODEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "pool.h"

#define UNKNOWN INT64_C(-1) /* a number that the report gives as null */

enum phase { PHASE_BEFORE, PHASE_PARENT, PHASE_CHILD, PHASES };
enum level { LEVEL_NOTE, LEVEL_WARNING, LEVEL_ERROR };
enum verdict { VERDICT_FORK_ONLY, VERDICT_JOINT, VERDICT_IN_USE };

extern const char *const phase_names[PHASES];
extern const char *const level_names[];
extern const char *const verdict_names[];

/* Texts below are NULL where the report gives null, unless "never NULL" is said. */

struct place {
	const char *function, *file;
	int64_t line;
};

struct module {
	int64_t id;
	const char *path, *build_id;
	int64_t base;                   /* address of link-time address 0 */
	bool loaded;
};

struct frame {
	int64_t id;
	bool native;
	struct place place;             /* python */
	const struct module *module;    /* native; NULL: unknown */
	int64_t offset;
	const char *symbol;
	bool looked_up;                 /* symbolize.h's: native; functions inlined into one another, innermost first */
	const struct place *places;
	size_t place_count;
};

struct stack {
	int64_t id;
	const struct frame **frames;    /* innermost first */
	size_t frame_count;
};

struct callable {
	enum phase phase;
	const char *type, *qualname, *module_name;
	struct place place;             /* file and line of the definition */
	const char *symbol;             /* native, as are the next two */
	const struct module *module;
	int64_t offset;
};

struct registration {
	int64_t id;
	bool native, inherited, baseline;
	bool phases[PHASES];
	const struct callable *callables;
	size_t callable_count;
	const char *owner_kind, *owner_type;
	const struct object *owner;
	const struct object **owners;
	size_t owner_count;
	const char *strength, *removed;
	const struct stack *stack, *native_stack;
	int64_t thread, time_ns, sequence, interpreter;
	int64_t calls[PHASES];
	int64_t frees_objects, frees_bytes, frees_native_bytes;
};

struct holder {
	const char *kind;               /* never NULL */
	const char **path;
	size_t path_count;
	bool own;                       /* of the object's own circle */
	const struct registration *registration;
};

struct object {
	int64_t id;
	const char *type, *module;      /* type: never NULL */
	const char *address;
	int64_t bytes, retained_bytes, retained_objects, native_bytes, block_bytes;
	enum verdict verdict;
	bool plumbing;
	const struct object *dominator; /* the nearest in the report; NULL too where the report does not tell */
	const struct stack *allocated;
	bool allocated_approximate;     /* perhaps the stack of an earlier object in the same memory */
	int64_t age_ns;
	const struct registration **registrations;
	size_t registration_count;
	const struct holder *holders;
	size_t holder_count;
	int64_t holders_dropped;        /* more than those */
};

struct block {
	int64_t id;
	int64_t bytes;
	const char *verdict, *strength;
	bool slot_closure;              /* no static data: the closure of a function, which the next three name */
	const struct module *slot_module;
	const char *slot_symbol;
	int64_t slot_offset;
	const char **slot_readers;      /* who else works with it; NULL among them: perhaps others */
	size_t slot_reader_count;
	int64_t slot_readers_dropped;
	bool has_slot_readers;          /* the report tells of them */
	const struct block *holder;     /* what leads to it on a shortest path; NULL: the slot */
	int64_t holder_offset;          /* of the pointer in that; UNKNOWN: the report does not tell */
	const struct stack *allocated;
	const struct registration **registrations;
	size_t registration_count;
};

struct handler {
	const struct registration *registration;
	enum phase phase;
	int64_t calls, total_ns, max_ns;
};

/* Live blocks with one stack and of one allocator. */
struct site {
	const struct stack *stack;      /* NULL: unknown */
	bool python;                    /* CPython's allocators; else the malloc family */
	int64_t count, bytes, oldest_ns, newest_ns;
};

struct allocations {
	const struct site *sites;
	size_t site_count;
	int64_t sites_dropped, dropped_count, dropped_bytes;
	int64_t native_count, native_bytes, python_count, python_bytes;
	int64_t frames, sample;         /* the options, as they were; sample 0: nothing is an estimate */
};

struct finding {
	const char *rule, *name, *fingerprint, *message; /* never NULL */
	const char *fix;
	enum level level;
	const struct registration **registrations;
	const struct object **objects, **behind;
	const struct block **blocks;
	size_t registration_count, object_count, behind_count, block_count;
	int64_t count, bytes, freed_objects, seen_in_snapshots;
	struct place site;
	const struct stack *allocated;  /* of the owner that retains most */
	bool allocated_approximate;
	int64_t allocated_places;       /* of all owners */
};

struct capability {
	const char *name, *state, *reason; /* name, state: never NULL */
};

struct report {
	const char *file;               /* as given, cleaned; "standard input" for - */
	struct pool pool;
	struct symbols *symbols;        /* symbolize.h's; NULL: files are not asked for names */

	int64_t pid, ppid, fork_generation;
	const char *exe, *argv0, *libc_name, *libc_version;
	bool has_python, free_threaded;
	const char *python_version, *python_build;
	int64_t interpreters;

	const char *trigger, *label, *time, *reason, *isolation;
	int64_t sequence, pause_ns, analysis_ns;
	bool complete;

	struct capability *capabilities;
	struct module *modules;
	struct frame *frames;
	struct stack *stacks;
	struct registration *registrations;
	struct object *objects;
	struct block *blocks;
	struct handler *handlers;
	struct finding *findings;
	const char **notes;
	size_t capability_count, module_count, frame_count, stack_count, registration_count, object_count, block_count,
		handler_count, finding_count, note_count;

	bool has_allocations;
	struct allocations allocations;

	int64_t forks;
	int64_t fork_only_objects, fork_only_bytes, fork_only_native_bytes, joint_objects, joint_bytes;
	int64_t objects_dropped, blocks_dropped, registrations_dropped;
};

#endif
