/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "native/unwind.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "base/lock.h"
#include "ledger/stacks.h"
#include "native/elf.h"
#include "native/modules.h"
#include "native/threads.h"
#include "native/unwinder.h"

/* Held through a walk: libunwind's caches are one for all threads, and must be whole when the process forks. */
static struct lock lock;
static bool held;
static enum { UNTRIED, OPEN, ABSENT } state;
static const char *problem;

/* Names by address: a site that registers often is looked up once. */
#define NAMES 1024u
static struct {
	uintptr_t address;
	uint32_t generation;
	const char *name;
} names[NAMES];

static void open_unwinder(void)
{
	problem = unwinder_open();
	state = problem ? ABSENT : OPEN;
}

/* try_open - dlopen takes the loader's lock. A thread that has it (a library's constructor) may be waiting for this
 * one, so with other threads about it is not tried, and the next registration may find itself alone. */
static bool try_open(void)
{
	if (state != UNTRIED)
		return state == OPEN;
	if (!modules_loader_free())
		problem = "libunwind is not opened in a fork's child: the loader's lock may have been left behind";
	else if (threads_alone())
		open_unwinder();
	else
		problem = "libunwind is not opened while other threads run, and no registration came before them";
	return state == OPEN;
}

void unwind_init(void)
{
	if (!threads_alone())
		return;
	for (uint32_t i = 0; i < modules_count() && state == UNTRIED; i++) {
		const struct module *module = modules_get(i);
		bool ours = module->start <= (uintptr_t)&lock && (uintptr_t)&lock < module->end;
		const char *name = elf_soname(module);

		/* libc itself defines them, the thread library of older ones passes them on; whoever else uses one
		 * will register. */
		if (!ours && !(name && strncmp(name, "libpthread.", 11) == 0) &&
		    (elf_imports(module, "__register_atfork") || elf_imports(module, "pthread_atfork")))
			open_unwinder();
	}
}

static const char *name_of(uintptr_t address)
{
	uint32_t generation = modules_generation(), slot = (uint32_t)(address ^ address >> 12) % NAMES;

	if (names[slot].address != address || names[slot].generation != generation) {
		names[slot].name = modules_symbol(address, false);
		names[slot].address = address;
		names[slot].generation = generation;
	}
	return names[slot].name;
}

struct collected {
	struct frame frames[STACK_MAX_FRAMES];
	unsigned count;
	uintptr_t caller;
	uint32_t ours;
	bool started;
};

/* collect - one frame; @address is a return address less one, or exact below a signal. Return: go on? */
static bool collect(void *argument, uintptr_t address, uintptr_t ip)
{
	struct collected *stack = argument;
	uint32_t module = modules_find(address);

	if (!stack->started) {
		/* Ours come first. Where a tail call hid the caller, the first frame that is not ours will do. */
		if (ip != stack->caller && module == stack->ours)
			return true;
		stack->started = true;
	}
	stack->frames[stack->count++] = (struct frame){
		.function = name_of(address),
		.module = module,
		.offset = module == MODULE_NONE ? address : address - modules_get(module)->bias,
	};
	return stack->count < STACK_MAX_FRAMES;
}

uint32_t unwind_here(uintptr_t caller)
{
	static struct collected stack; /* under the lock: too large for a host's smallest stacks */
	uint32_t id = STACK_NONE;
	int saved = errno;

	if (lock_take(&lock)) {
		if (try_open()) {
			stack.count = 0;
			stack.started = false;
			stack.caller = caller;
			stack.ours = modules_find((uintptr_t)&lock);
			unwinder_walk(collect, &stack);
			id = stacks_intern(stack.frames, stack.count);
		}
		lock_release(&lock);
	}
	errno = saved;
	return id;
}

bool unwind_step(uintptr_t *ip, uintptr_t *sp, uintptr_t *fp)
{
	int saved = errno;
	bool found = false;

	if (__atomic_load_n(&state, __ATOMIC_RELAXED) == OPEN && lock_try(&lock)) {
		found = unwinder_step(ip, sp, fp);
		lock_release(&lock);
		errno = saved;
	}
	return found;
}

const char *unwind_state(void)
{
#ifndef HAVE_LIBUNWIND
	/* What was built without it is said even where nothing asked for a stack. */
	open_unwinder();
#endif
	return problem;
}

void unwind_prepare(void)
{
	held = lock_take(&lock);
}

void unwind_parent(void)
{
	if (held)
		lock_release(&lock);
}

void unwind_child(void)
{
	lock_reset(&lock);
}
