/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "native/unwinder.h"

#if defined(HAVE_LIBUNWIND) && (defined(__x86_64__) || defined(__aarch64__))
#include <dlfcn.h>
#include <fcntl.h>
#include <libunwind.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/os.h"
#include "native/elf.h"
#include "native/memory.h"
#include "native/modules.h"
#include "native/rules.h"

#define TEXT(x) #x
#define QUOTED(x) TEXT(x)
#define SYMBOL(function) QUOTED(UNW_OBJ(function))

#if defined(__x86_64__)
#define LIBRARY "libunwind-x86_64.so.8"
#define REGISTERS 17
#else
#define LIBRARY "libunwind-aarch64.so.8"
#define REGISTERS 33
#endif

#define STEPS 256u              /* frames looked at: ours, the wanted ones, and an end to a walk in circles */
#define STACK_SPAN (64u << 20)  /* how far above the stack pointer the stack may reach */
#define PAGES 64u
#define CACHED_RULES 512        /* of libunwind's cache of ip -> rules */

/* One walk: the registers it starts from, and which memory has been found readable during it. */
struct walk {
	unw_word_t registers[REGISTERS];
	uint64_t known;              /* registers that have a value, by bit */
	uintptr_t stack, stack_end;  /* [stack, stack_end) is readable without a gap */
	uintptr_t pages[PAGES];      /* pages of modules found readable */
	bool uninformed;             /* a step asked for unwind information that is not there */
};

static __typeof__(&unw_create_addr_space) create_addr_space;
static __typeof__(&unw_init_remote) init_remote;
static __typeof__(&unw_step) step;
static __typeof__(&unw_get_reg) get_reg;
static __typeof__(&unw_set_caching_policy) set_caching_policy;
static __typeof__(&unw_flush_cache) flush_cache;
static int (*set_cache_size)(unw_addr_space_t, size_t, int); /* newer than the oldest libunwind that we take */
static int (*search_unwind_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *, unw_proc_info_t *, int, void *);

static unw_addr_space_t space;

static bool on_stack(struct walk *walk, uintptr_t address)
{
	uintptr_t last = address + sizeof(unw_word_t) - 1;

	if (address < walk->stack || last - walk->stack > STACK_SPAN)
		return false;
	while (last >= walk->stack_end) {
		if (!memory_readable(walk->stack_end))
			return false;
		walk->stack_end += MEMORY_PAGE;
	}
	return true;
}

static bool page_readable(struct walk *walk, uintptr_t page)
{
	uintptr_t *known = &walk->pages[page / MEMORY_PAGE % PAGES];

	if (*known != page && memory_readable(page))
		*known = page;
	return *known == page;
}

static bool in_module(struct walk *walk, uintptr_t address)
{
	uintptr_t last = address + sizeof(unw_word_t) - 1, mask = ~(uintptr_t)(MEMORY_PAGE - 1);

	return modules_find(address) != MODULE_NONE && page_readable(walk, address & mask) &&
	       page_readable(walk, last & mask);
}

static int access_mem(unw_addr_space_t as, unw_word_t address, unw_word_t *value, int write, void *argument)
{
	struct walk *walk = argument;

	(void)as;
	if (write || address > UINTPTR_MAX - sizeof(*value) || (!on_stack(walk, address) && !in_module(walk, address)))
		return -UNW_EINVAL;
	memcpy(value, (const void *)(uintptr_t)address, sizeof(*value));
	return 0;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t number, unw_word_t *value, int write, void *argument)
{
	struct walk *walk = argument;

	(void)as;
	if (write || number < 0 || number >= REGISTERS || !(walk->known >> number & 1))
		return -UNW_EBADREG;
	*value = walk->registers[number];
	return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t number, unw_fpreg_t *value, int write, void *argument)
{
	(void)as, (void)number, (void)value, (void)write, (void)argument;
	return -UNW_EBADREG;
}

/* What .eh_frame_hdr begins with when it has the usual search table; the linkers write no other. */
struct frame_header {
	uint8_t version, frame_encoding, count_encoding, table_encoding;
	int32_t frame;
	uint32_t count;
};
#define COUNT_U4 0x03
#define TABLE_S4_FROM_HEADER 0x3b
#define FRAME_S4 0x0b
#define FRAME_U4 0x03

static const struct frame_header *frame_header(const struct module *module)
{
	for (unsigned i = 0; i < module->header_count; i++)
		if (module->headers[i].p_type == PT_GNU_EH_FRAME)
			return (const void *)(module->bias + module->headers[i].p_vaddr);
	return NULL;
}

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *info, int need, void *argument)
{
	struct walk *walk = argument;
	uint32_t id = modules_find(ip);
	const struct module *module = id == MODULE_NONE ? NULL : modules_get(id);
	const struct frame_header *header = NULL;
	unw_dyn_info_t table = { .format = UNW_INFO_FORMAT_REMOTE_TABLE };
	int result = -UNW_ENOINFO;

	if (module && memory_readable((uintptr_t)module->headers))
		header = frame_header(module);
	if (header && in_module(walk, (uintptr_t)header) && in_module(walk, (uintptr_t)&header->count) &&
	    header->version == 1 && header->count_encoding == COUNT_U4 &&
	    header->table_encoding == TABLE_S4_FROM_HEADER &&
	    ((header->frame_encoding & 0x0f) == FRAME_S4 || (header->frame_encoding & 0x0f) == FRAME_U4)) {
		table.start_ip = module->start;
		table.end_ip = module->end;
		table.u.rti.segbase = (uintptr_t)header;
		table.u.rti.table_data = (uintptr_t)(header + 1);
		table.u.rti.table_len = header->count * UINT64_C(8) / sizeof(unw_word_t);
		result = search_unwind_table(as, ip, &table, info, need, argument);
	}
	walk->uninformed |= result < 0;
	return result;
}

/* The rules' memory belongs to a pool of libunwind's that only its own accessors can give back to: with the cache of
 * rules, one piece for each return address that is met. */
static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *info, void *argument)
{
	(void)as, (void)info, (void)argument;
}

static int no_dynamic_info(unw_addr_space_t as, unw_word_t *address, void *argument)
{
	(void)as, (void)address, (void)argument;
	return -UNW_ENOINFO;
}

static int no_resume(unw_addr_space_t as, unw_cursor_t *cursor, void *argument)
{
	(void)as, (void)cursor, (void)argument;
	return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t as, unw_word_t ip, char *name, size_t size, unw_word_t *offset, void *argument)
{
	(void)as, (void)ip, (void)name, (void)size, (void)offset, (void)argument;
	return -UNW_ENOINFO;
}

static bool find(void *library, const char *name, void *pointer)
{
	void *found = dlsym(library, name);

	memcpy(pointer, &found, sizeof(found));
	return found;
}

/* close_pipe - if both descriptors are the ends of one pipe, close them. */
static void close_pipe(const int ends[2])
{
	struct stat first, second;

	if (os_call(SYS_fstat, ends[0], (long)&first, 0, 0, 0, 0) == 0 &&
	    os_call(SYS_fstat, ends[1], (long)&second, 0, 0, 0, 0) == 0 && S_ISFIFO(first.st_mode) &&
	    first.st_ino == second.st_ino && first.st_dev == second.st_dev) {
		os_call(SYS_close, ends[0], 0, 0, 0, 0, 0);
		os_call(SYS_close, ends[1], 0, 0, 0, 0, 0);
	}
}

/* initialise - libunwind's first call makes, in some versions, the pipe by which its local mode asks whether memory
 * is readable. Nothing here uses that mode, and the host must not see descriptors of ours: they get the numbers
 * that a pipe of ours had just before, as there is no other thread and no signal handler to take them. */
static void initialise(void)
{
	uint64_t all = UINT64_MAX, saved;
	int ends[2];
	bool probed;

	os_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&saved, sizeof(all), 0, 0);
	probed = os_call(SYS_pipe2, (long)ends, O_CLOEXEC, 0, 0, 0, 0) == 0;
	if (probed)
		close_pipe(ends);
	set_caching_policy(space, UNW_CACHE_GLOBAL);
	if (probed)
		close_pipe(ends);
	os_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&saved, 0, sizeof(saved), 0, 0);
}

const char *unwinder_open(void)
{
	/* A newer libunwind has more accessors than the headers here: zeroes behind ours. */
	static struct {
		unw_accessors_t accessors;
		void *newer[16];
	} table = { .accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = no_dynamic_info,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = no_resume,
		.get_proc_name = no_name,
	} };
	void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);

	if (!library) {
		dlerror(); /* the host must not find our failure */
		return LIBRARY " cannot be opened";
	}
	if (!find(library, SYMBOL(create_addr_space), &create_addr_space) ||
	    !find(library, SYMBOL(init_remote), &init_remote) || !find(library, SYMBOL(step), &step) ||
	    !find(library, SYMBOL(get_reg), &get_reg) ||
	    !find(library, SYMBOL(set_caching_policy), &set_caching_policy) ||
	    !find(library, SYMBOL(flush_cache), &flush_cache) ||
	    !find(library, SYMBOL(dwarf_search_unwind_table), &search_unwind_table)) {
		dlerror();
		return LIBRARY " lacks a function";
	}
	if (!find(library, SYMBOL(set_cache_size), &set_cache_size))
		dlerror();
	space = create_addr_space(&table.accessors, 0);
	if (!space)
		return LIBRARY " made no address space";
	initialise();
	if (set_cache_size)
		set_cache_size(space, CACHED_RULES, 0);
	return NULL;
}

/* capture - this very frame's registers: those that calls preserve, the stack pointer and the place. */
#define capture(walk) capture_registers((walk)->registers)
#if defined(__x86_64__)
#define capture_registers(to) \
	__asm__ volatile("movq %%rbx, 24(%0)\n\tmovq %%rbp, 48(%0)\n\tmovq %%rsp, 56(%0)\n\t" \
			 "movq %%r12, 96(%0)\n\tmovq %%r13, 104(%0)\n\tmovq %%r14, 112(%0)\n\tmovq %%r15, 120(%0)\n\t" \
			 "leaq 0(%%rip), %%rax\n\tmovq %%rax, 128(%0)" \
			 : : "r"(to) : "rax", "memory")
#define STACK_POINTER UNW_X86_64_RSP
#define FRAME_POINTER UNW_X86_64_RBP
#define PLACE UNW_X86_64_RIP
#else
#define capture_registers(to) \
	__asm__ volatile("stp x19, x20, [%0, 152]\n\tstp x21, x22, [%0, 168]\n\tstp x23, x24, [%0, 184]\n\t" \
			 "stp x25, x26, [%0, 200]\n\tstp x27, x28, [%0, 216]\n\tstp x29, x30, [%0, 232]\n\t" \
			 "mov x9, sp\n\tadr x10, .\n\tstp x9, x10, [%0, 248]" \
			 : : "r"(to) : "x9", "x10", "memory")
#define STACK_POINTER UNW_AARCH64_SP
#define FRAME_POINTER UNW_AARCH64_X29
#define PLACE UNW_AARCH64_PC
#endif

/* One walk at a time: both are far too large for a small thread's stack. A newer library's cursor may be larger. */
static union {
	unw_cursor_t cursor;
	char room[40960];
} state;
static struct walk walk;

/* begin - from the registers that stand in @walk. */
static bool begin(void)
{
	static uint32_t generation;

	if (generation != modules_generation()) {
		generation = modules_generation();
		flush_cache(space, 0, 0);
	}
	walk.stack = walk.registers[STACK_POINTER];
	walk.stack_end = (walk.stack | (MEMORY_PAGE - 1)) + 1;
	return init_remote(&state.cursor, space, &walk) >= 0;
}

bool unwinder_step(uintptr_t *ip, uintptr_t *sp, uintptr_t *fp)
{
	unw_word_t caller, stack, frame;

	memset(&walk, 0, sizeof(walk));
	walk.known = UINT64_C(1) << PLACE | UINT64_C(1) << STACK_POINTER | UINT64_C(1) << FRAME_POINTER;
	walk.registers[PLACE] = *ip - 1;
	walk.registers[STACK_POINTER] = *sp;
	walk.registers[FRAME_POINTER] = *fp;
	if (!memory_readable(*sp) || !begin() || step(&state.cursor) < 0 || walk.uninformed ||
	    get_reg(&state.cursor, UNW_REG_IP, &caller) < 0 || get_reg(&state.cursor, UNW_REG_SP, &stack) < 0)
		return false;
	*fp = get_reg(&state.cursor, FRAME_POINTER, &frame) < 0 ? 0 : frame;
	*ip = caller;
	*sp = stack;
	return true;
}

__attribute__((noinline))
void unwinder_walk(bool (*frame)(void *context, uintptr_t address, uintptr_t ip), void *context)
{
	bool exact = false;

	memset(&walk, 0, sizeof(walk));
	walk.known = UINT64_MAX;
	capture(&walk);
	if (!begin())
		return;
	for (unsigned steps = 0; steps < STEPS; steps++) {
		unw_word_t ip = 0;

		if (step(&state.cursor) <= 0 || walk.uninformed)
			return;
		if (get_reg(&state.cursor, UNW_REG_IP, &ip) < 0 || ip < 2)
			return;
		if (!frame(context, (uintptr_t)ip - !exact, (uintptr_t)ip))
			return;
		/* Not asked of libunwind: 1.6 says it of the frame that was interrupted, others of the one before. */
		exact = rules_get((uintptr_t)ip - !exact).kind == RULE_SIGNAL;
	}
}

#else

const char *unwinder_open(void)
{
	return "built without libunwind";
}

void unwinder_walk(bool (*frame)(void *context, uintptr_t address, uintptr_t ip), void *context)
{
	(void)frame, (void)context;
}

bool unwinder_step(uintptr_t *ip, uintptr_t *sp, uintptr_t *fp)
{
	(void)ip, (void)sp, (void)fp;
	return false;
}

#endif
