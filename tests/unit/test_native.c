/* SPDX-License-Identifier: Apache-2.0 */
/* The C world as this very program: its modules before and after dlopen and dlclose, names, stacks, judgements. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "check.h"
#include "ledger/stacks.h"
#include "native/elf.h"
#include "native/guarded.h"
#include "native/handlers.h"
#include "native/memory.h"
#include "base/os.h"
#include "native/modules.h"
#include "native/roots.h"
#include "native/symtab.h"
#include "native/threads.h"
#include "native/unwind.h"

static const char *plugin, *plugin_with_hole;

static void memory_is_asked_for_not_tried(void)
{
	char *page = mmap(NULL, 3 * MEMORY_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED && mprotect(page + MEMORY_PAGE, MEMORY_PAGE, PROT_NONE) == 0);
	errno = 77;
	CHECK(memory_readable((uintptr_t)page) && !memory_readable((uintptr_t)page + MEMORY_PAGE));
	CHECK(!memory_readable((uintptr_t)page + MEMORY_PAGE - 4)); /* half of the word */
	CHECK(!memory_readable(0) && !memory_readable(UINTPTR_MAX - 3));
	CHECK(memory_range_readable((uintptr_t)page, MEMORY_PAGE));
	CHECK(!memory_range_readable((uintptr_t)page, 3 * MEMORY_PAGE));
	CHECK(!memory_unmapped((uintptr_t)page) && !memory_unmapped((uintptr_t)page + MEMORY_PAGE));
	CHECK(munmap(page + MEMORY_PAGE, MEMORY_PAGE) == 0);
	CHECK(memory_unmapped((uintptr_t)page + MEMORY_PAGE) && !memory_unmapped((uintptr_t)page + 2 * MEMORY_PAGE));
	CHECK(errno == 77);
	munmap(page, 3 * MEMORY_PAGE);
}

static void *wait_for(void *barrier)
{
	pthread_barrier_wait(barrier);
	pthread_barrier_wait(barrier);
	return NULL;
}

static void threads_are_counted(void)
{
	pthread_barrier_t barrier;
	pthread_t thread;

	CHECK(threads_alone());
	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0 && pthread_create(&thread, NULL, wait_for, &barrier) == 0);
	pthread_barrier_wait(&barrier);
	CHECK(!threads_alone());
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
}

static void modules_are_what_the_loader_says(void)
{
	uint32_t main_module = modules_find((uintptr_t)modules_are_what_the_loader_says), libc;
	const struct module *module = modules_get(main_module);
	char path[4096];
	Dl_info info;

	CHECK(main_module == 0 && module->loaded && module->startup && module->path[0] == '/');
	CHECK(realpath("/proc/self/exe", path) && strcmp(path, module->path) == 0);
	libc = modules_find((uintptr_t)dlsym(RTLD_DEFAULT, "fork"));
	CHECK(dladdr(dlsym(RTLD_DEFAULT, "fork"), &info) && libc != MODULE_NONE);
	CHECK(strcmp(modules_get(libc)->path, info.dli_fname) == 0);
	CHECK(modules_get(libc)->bias == (uintptr_t)info.dli_fbase);
	CHECK(modules_get(libc)->build_id_size == 20 && elf_soname(modules_get(libc)));
	CHECK(modules_find((uintptr_t)&info) == MODULE_NONE);
}

/* Old linkers leave holes between segments; the kernel's mapping of ld.so has them for anybody to fill. */
static void a_hole_is_nobodys(void)
{
	const ElfW(Phdr) headers[] = {
		{ .p_type = PT_PHDR, .p_vaddr = 0x40, .p_memsz = 0x200 },
		{ .p_type = PT_LOAD, .p_vaddr = 0, .p_memsz = 0x900 },
		{ .p_type = PT_LOAD, .p_vaddr = 0x1000, .p_memsz = 0x1800 },
		{ .p_type = PT_LOAD, .p_vaddr = 0x202e10, .p_memsz = 0x2000 },
		{ .p_type = PT_LOAD, .p_vaddr = 0x300000, .p_memsz = 0 },
	};
	const struct module module = { .bias = 0x70000000, .headers = headers, .header_count = 5 };
	struct range range[5];
	void *library = dlopen(plugin_with_hole, RTLD_NOW), *code, *other;
	const struct module *holed;

	CHECK(elf_ranges(&module, range) == 2);
	CHECK(range[0].start == 0x70000000 && range[0].end == 0x70003000);
	CHECK(range[1].start == 0x70202000 && range[1].end == 0x70205000);

	CHECK(library && (code = dlsym(library, "plugin_prepare")));
	modules_refresh();
	CHECK(modules_find((uintptr_t)code) != MODULE_NONE);
	holed = modules_get(modules_find((uintptr_t)code));
	CHECK(holed->range_count > 1 && holed->ranges[0].end < holed->ranges[1].start);
	CHECK(modules_find(holed->start) == holed->id && modules_find(holed->end - 1) == holed->id);
	CHECK(modules_find(holed->ranges[0].end) == MODULE_NONE && modules_find(holed->ranges[1].start - 1) == MODULE_NONE);
	other = mmap((void *)holed->ranges[0].end, MEMORY_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK((uintptr_t)other == holed->ranges[0].end && modules_find((uintptr_t)other) == MODULE_NONE);
	CHECK(modules_symbol((uintptr_t)other, true) == NULL);
	CHECK(dlclose(library) == 0);
	modules_refresh();
}

/* Each load has an id of its own, also at the same place, if its end was announced. */
static void loads_are_told_apart(void)
{
	void *library, *code;
	uint32_t count, first, second;

	modules_refresh(); /* libunwind may be there by now */
	count = modules_count();
	library = dlopen(plugin, RTLD_NOW);
	CHECK(library && (code = dlsym(library, "plugin_prepare")));
	modules_refresh();
	first = modules_find((uintptr_t)code);
	CHECK(first == count && modules_count() == count + 1 && !modules_get(first)->startup);
	modules_refresh();
	CHECK(modules_count() == count + 1);
	CHECK(modules_finalize((uintptr_t)code) == first && !modules_exiting());
	CHECK(dlclose(library) == 0 && (library = dlopen(plugin, RTLD_NOW)));
	CHECK((code = dlsym(library, "plugin_prepare")));
	modules_refresh();
	second = modules_find((uintptr_t)code);
	CHECK(second == first + 1 && modules_get(second)->loaded && !modules_get(first)->loaded);
	CHECK(strcmp(modules_get(first)->path, modules_get(second)->path) == 0);
	CHECK(dlclose(library) == 0);
	modules_refresh();
	CHECK(!modules_get(second)->loaded && modules_find((uintptr_t)code) == MODULE_NONE);
}

static __attribute__((noinline)) void a_static_function(void)
{
	__asm__ volatile("");
}

static void names_are_never_guesses(void)
{
	uintptr_t function = (uintptr_t)dlsym(RTLD_DEFAULT, "fork"), libc = modules_get(modules_find(function))->start;
	struct symtab symtab;

	CHECK(strstr(modules_symbol(function, false), "fork")); /* or one of its other names */
	CHECK(modules_symbol(libc, false) == NULL);
	CHECK(modules_symbol((uintptr_t)&symtab, true) == NULL);
	CHECK(symtab_open(modules_get(0), &symtab));
	symtab_close(&symtab);
	CHECK(modules_symbol((uintptr_t)a_static_function, false) == NULL);
	CHECK(strcmp(modules_symbol((uintptr_t)a_static_function, true), "a_static_function") == 0);
}

static uint32_t outer_stack;

static __attribute__((noinline)) void inner_function(void)
{
	outer_stack = unwind_here((uintptr_t)__builtin_return_address(0));
	__asm__ volatile("");
}

static __attribute__((noinline)) void outer_function(void)
{
	inner_function();
	__asm__ volatile("");
}

static const char *frame_name(uint32_t stack, unsigned index)
{
	unsigned count;
	const uint32_t *ids = stacks_get(stack, &count);
	const struct frame *frame = index < count ? frames_get(ids[index]) : NULL;

	return frame && frame->module != MODULE_NONE ?
		       modules_symbol(modules_get(frame->module)->bias + frame->offset, true) : NULL;
}

static __attribute__((noinline)) void stacks_start_at_the_caller(void)
{
	uint32_t first;

	if (unwind_state()) {
		CHECK(unwind_here(0) == STACK_NONE);
		puts(unwind_state());
		return;
	}
	errno = 77;
	outer_function();
	first = outer_stack;
	CHECK(errno == 77 && first != STACK_NONE && unwind_state() == NULL);
	CHECK(strcmp(frame_name(first, 0), "outer_function") == 0);
	CHECK(strcmp(frame_name(first, 1), "stacks_start_at_the_caller") == 0);
	CHECK(strcmp(frame_name(first, 2), "main") == 0);
	outer_function();
	CHECK(outer_stack != first);
	for (int i = 0; i < 2; i++, first = outer_stack)
		outer_function();
	CHECK(outer_stack == first);
}

static __attribute__((noinline)) void *deep_in_a_thread(void *unused)
{
	(void)unused;
	outer_function();
	return NULL;
}

static void small_stacks_suffice(void)
{
	pthread_attr_t small;
	pthread_t thread;

	outer_stack = STACK_NONE;
	CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 16384) == 0);
	CHECK(pthread_create(&thread, &small, deep_in_a_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
	CHECK(unwind_state() || strcmp(frame_name(outer_stack, 1), "deep_in_a_thread") == 0);
}

static struct registration registered(uintptr_t code, uintptr_t handle)
{
	struct registration model = { .kind = REGISTRATION_NATIVE, .callable = { code }, .handle = handle };

	for (int phase = 0; phase < PHASES; phase++)
		model.code_module[phase] = modules_find(model.callable[phase]);
	model.handle_module = modules_find(handle);
	model.foreign = handler_handle_foreign(&model);
	return model;
}

static void handlers_are_judged(void)
{
	uintptr_t here = (uintptr_t)handlers_are_judged, libc = (uintptr_t)dlsym(RTLD_DEFAULT, "fork"), code;
	void *library = dlopen(plugin, RTLD_NOW), *thunk;
	struct registration ours, own, foreign, plain, compat, anonymous;

	CHECK(library);
	code = (uintptr_t)dlsym(library, "plugin_prepare");
	modules_refresh();
	ours = registered(here, 0);      /* a program that is not position-independent */
	own = registered(code, code);
	foreign = registered(code, here);
	plain = registered(libc, code);  /* a plugin gives a function of libc */
	compat = registered(code, 0);
	thunk = mmap(NULL, MEMORY_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	anonymous = registered((uintptr_t)thunk, 0);
	CHECK(!handler_foreign(&ours) && !handler_foreign(&own));
	CHECK(!handler_foreign(&plain) && !handler_foreign(&anonymous));
	CHECK(handler_foreign(&foreign) && handler_foreign(&compat));
	CHECK(!handler_dangling(&ours) && !handler_dangling(&own));
	CHECK(!handler_dangling(&compat) && !handler_dangling(&anonymous));
	CHECK(modules_symbol((uintptr_t)dlsym(library, "plugin_register"), false));
	CHECK(dlclose(library) == 0 && munmap(thunk, MEMORY_PAGE) == 0);
	modules_refresh();
	CHECK(strcmp(modules_symbol_at(own.code_module[0], code - modules_get(own.code_module[0])->bias, true),
		     "plugin_prepare") == 0);
	CHECK(handler_dangling(&own) && handler_dangling(&compat));
	CHECK(handler_dangling(&anonymous) && !handler_dangling(&plain));
	own.removed = foreign.removed = REMOVED_DLCLOSE;
	CHECK(!handler_dangling(&own) && !handler_foreign(&foreign));
}

/* In a fork's child the loader's lock is not to be had: the same answers come from its list. */
static void a_child_walks_the_list(void)
{
	uint32_t count = modules_count(), id;
	void *library, *code;

	modules_child();
	modules_refresh();
	CHECK(modules_count() == count && !modules_loader_free());
	library = dlopen(plugin, RTLD_NOW);
	CHECK(library && (code = dlsym(library, "plugin_prepare")));
	modules_refresh();
	id = modules_find((uintptr_t)code);
	CHECK(modules_loader_free()); /* the host's dlopen came through */
	CHECK(id == count && modules_count() == count + 1 && modules_get(id)->path == modules_get(id - 1)->path);
	CHECK(modules_get(id)->build_id_size == modules_get(id - 1)->build_id_size);
	CHECK(dlclose(library) == 0);
	modules_refresh();
	CHECK(!modules_get(id)->loaded && modules_get(0)->loaded);
}

static const struct root_span *span_of(const struct roots *roots, const void *address)
{
	for (uint32_t i = 0; i < roots->count; i++)
		if ((uintptr_t)address - roots->spans[i].start < roots->spans[i].end - roots->spans[i].start)
			return &roots->spans[i];
	return NULL;
}

static uint64_t visited;

static void add_up(void *unused, uintptr_t start, uintptr_t end)
{
	(void)unused;
	visited += end - start;
}

static void roots_are_what_may_hold_a_pointer(void)
{
	static int data;
	static const int constant = 1;
	enum { LARGE = 64 << 20 };
	char here[64], *large, *own = os_map(8192), *unreadable, *block = malloc(100), *file;
	uint32_t from = 0;
	struct roots roots;

	large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unreadable = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(own && block && large != MAP_FAILED && unreadable != MAP_FAILED);
	CHECK(madvise(large, LARGE, MADV_NOHUGEPAGE) == 0);
	large[0] = large[LARGE / 2] = 1;
	CHECK(roots_read(&roots, (uintptr_t)here, NULL) == 0);
	CHECK(span_of(&roots, here) && span_of(&roots, here)->start == ((uintptr_t)here & ~(uintptr_t)7));
	CHECK(span_of(&roots, &data) && span_of(&roots, large) && span_of(&roots, block));
	CHECK(span_of(&roots, block)->kind == ROOT_HEAP);
	CHECK(span_of(&roots, stdout) && span_of(&roots, stdout)->kind == ROOT_LIBC);
	CHECK(!span_of(&roots, own) && !span_of(&roots, unreadable) && !span_of(&roots, &constant));
	CHECK(roots_readable(&roots, (uintptr_t)large, (uintptr_t)large + LARGE, &from));
	CHECK(!roots_readable(&roots, (uintptr_t)unreadable, (uintptr_t)unreadable + 1, &(uint32_t){ 0 }));
	/* Of a reservation the pages that are there; where some may be in swap space, all. */
	roots_visit(&roots, span_of(&roots, large), (uintptr_t)large, (uintptr_t)large + LARGE, add_up, NULL);
	CHECK(visited == (roots.swapped ? LARGE : 2 * MEMORY_PAGE));
	file = (char *)&data;
	visited = 0;
	roots_visit(&roots, span_of(&roots, file), (uintptr_t)file, (uintptr_t)file + 4, add_up, NULL);
	CHECK(visited == 4);
	roots_finish(&roots);
	os_unmap(own, 8192);
	munmap(large, LARGE);
	munmap(unreadable, 8192);
	free(block);
}

/* A thread, and where it and one of its variables are. */
struct other {
	pthread_t thread;
	pthread_barrier_t barrier;
	uintptr_t tp, variable;
};

static void *stand(void *other_pointer)
{
	struct other *other = other_pointer;
	char variable;

	other->tp = threads_pointer();
	other->variable = (uintptr_t)&variable;
	pthread_barrier_wait(&other->barrier);
	pthread_barrier_wait(&other->barrier);
	return NULL;
}

static void stacks_are_roots_from_where_threads_stand(void)
{
	enum { GIVEN = 1 << 20, WORDS = 4096 };
	struct halted *halted = os_map_shared(8192);
	struct other others[2] = { 0 };
	struct roots roots;
	pthread_attr_t attributes;
	char *given = mmap(NULL, GIVEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), here;
	const struct root_span *span;

	CHECK(halted && given != MAP_FAILED);
	for (unsigned i = 0; i < 2; i++) {
		/* The second on the upper half of a mapping. */
		CHECK(pthread_attr_init(&attributes) == 0);
		CHECK(!i || pthread_attr_setstack(&attributes, given + GIVEN / 2, GIVEN / 2) == 0);
		CHECK(pthread_barrier_init(&others[i].barrier, NULL, 2) == 0);
		CHECK(pthread_create(&others[i].thread, &attributes, stand, &others[i]) == 0);
		pthread_barrier_wait(&others[i].barrier);
		halted->threads[i] = (struct halted_thread){ .sp = others[i].variable - 1024, .tp = others[i].tp };
	}
	halted->words = (char *)halted + WORDS;
	halted->used = 800;
	halted->count = halted->others = 2;
	CHECK(roots_read(&roots, (uintptr_t)&here, halted) == 0);
	for (unsigned i = 0; i < 2; i++) {
		const void *sp = (void *)halted->threads[i].sp;

		CHECK(span_of(&roots, (void *)others[i].variable) && span_of(&roots, (void *)others[i].tp));
		CHECK(span_of(&roots, (char *)sp + 8) && !span_of(&roots, (char *)sp - 8));
		CHECK(!span_of(&roots, (char *)sp - 2048));
	}
	CHECK(!span_of(&roots, given + GIVEN / 2) && span_of(&roots, given) && span_of(&roots, given + GIVEN / 2 - 1));
	span = span_of(&roots, halted->words);
	CHECK(span && span->start == (uintptr_t)halted->words && span->end == span->start + 800);
	CHECK(!span_of(&roots, halted));
	roots_finish(&roots);
	/* Not on its own stack: nothing is known of that, nor of the one that it is on. */
	halted->threads[0].sp = (uintptr_t)given + GIVEN / 4;
	CHECK(roots_read(&roots, (uintptr_t)&here, halted) == 0);
	CHECK(span_of(&roots, (char *)others[0].variable - 4096) && span_of(&roots, given));
	roots_finish(&roots);
	CHECK(roots_read(&roots, (uintptr_t)&here, NULL) == 0);
	CHECK(span_of(&roots, (char *)others[0].variable - 4096) && span_of(&roots, given + GIVEN / 2));
	roots_finish(&roots);
	for (unsigned i = 0; i < 2; i++) {
		pthread_barrier_wait(&others[i].barrier);
		CHECK(pthread_join(others[i].thread, NULL) == 0);
	}
	os_unmap(halted, 8192);
	munmap(given, GIVEN);
}

static void read_byte(void *address)
{
	visited = *(volatile unsigned char *)address;
}

static void a_fault_ends_only_the_work(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigset_t set;

	CHECK(page != MAP_FAILED && mprotect(page + 4096, 4096, PROT_NONE) == 0);
	page[7] = 42;
	for (int i = 0; i < 3; i++) {
		visited = 0;
		CHECK(guarded_call(read_byte, page + 7) && visited == 42);
		CHECK(!guarded_call(read_byte, page + 4096) && visited == 42);
	}
	CHECK(sigprocmask(SIG_SETMASK, NULL, &set) == 0);
	CHECK(sigismember(&set, SIGSEGV) && sigismember(&set, SIGBUS));
	sigemptyset(&set);
	CHECK(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
	munmap(page, 8192);
}

int main(int argc, char **argv)
{
	CHECK(argc == 3);
	plugin = argv[1];
	plugin_with_hole = argv[2];
	memory_is_asked_for_not_tried();
	threads_are_counted();
	roots_are_what_may_hold_a_pointer();
	stacks_are_roots_from_where_threads_stand();
	a_fault_ends_only_the_work();
	modules_init();
	unwind_init();
	modules_are_what_the_loader_says();
	a_hole_is_nobodys();
	loads_are_told_apart();
	names_are_never_guesses();
	stacks_start_at_the_caller();
	small_stacks_suffice();
	handlers_are_judged();
	a_child_walks_the_list();
	return 0;
}
