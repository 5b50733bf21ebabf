/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "native/decode.h"

#if defined(HAVE_CAPSTONE) && defined(__x86_64__)
#include <capstone.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include "base/os.h"
#include "native/memory.h"

#define PATIENCE_US 500000

static struct {
	cs_err (*open)(cs_arch arch, cs_mode mode, csh *handle);
	cs_err (*option)(csh handle, cs_opt_type type, size_t value);
	cs_insn *(*allocate)(csh handle);
	bool (*next)(csh handle, const uint8_t **code, size_t *size, uint64_t *address, cs_insn *instruction);
} capstone;

static csh handle;
static cs_insn *instruction;
static sigjmp_buf impatient;

static void give_up(int unused)
{
	(void)unused;
	siglongjmp(impatient, 1);
}

static bool load(void)
{
	char name[32];
	void *library;

	snprintf(name, sizeof(name), "libcapstone.so.%d", CS_API_MAJOR);
	library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		return false;
	*(void **)&capstone.open = dlsym(library, "cs_open");
	*(void **)&capstone.option = dlsym(library, "cs_option");
	*(void **)&capstone.allocate = dlsym(library, "cs_malloc");
	*(void **)&capstone.next = dlsym(library, "cs_disasm_iter");
	return capstone.open && capstone.option && capstone.allocate && capstone.next;
}

/* All signals are blocked in the copy; this one is let in as long as the loader may have to be waited for. */
static void let_in(bool in)
{
	uint64_t set = UINT64_C(1) << (SIGALRM - 1);
	struct itimerval timer = { .it_value = { .tv_usec = in ? PATIENCE_US : 0 } };
	struct sigaction action = { .sa_handler = give_up };

	if (in)
		sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	os_call(SYS_rt_sigprocmask, in ? SIG_UNBLOCK : SIG_BLOCK, (long)&set, 0, sizeof(set), 0, 0);
}

const char *decode_open(void)
{
	bool loaded;

	if (instruction)
		return NULL;
	if (sigsetjmp(impatient, 0)) {
		let_in(false);
		return "another thread held the loader's lock, so no decoder of instructions could be opened";
	}
	let_in(true);
	loaded = load();
	let_in(false);
	if (!loaded)
		return "libcapstone, which decodes handlers' code, is not installed";
	if (capstone.open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK ||
	    capstone.option(handle, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK)
		return "libcapstone does not know this processor";
	instruction = capstone.allocate(handle);
	return instruction ? NULL : "libcapstone has no memory";
}

struct pass {
	void (*visit)(void *argument, const struct reference *reference);
	void *argument;
};

static void state(const struct pass *pass, enum reference_kind kind, uint64_t target)
{
	struct reference reference = { kind, (uintptr_t)instruction->address, (uintptr_t)target };

	pass->visit(pass->argument, &reference);
}

static void look(const struct pass *pass)
{
	const cs_x86 *x86 = &instruction->detail->x86;
	bool jumps = false, lea = instruction->id == X86_INS_LEA;

	for (unsigned i = 0; i < instruction->detail->groups_count; i++)
		jumps |= instruction->detail->groups[i] == X86_GRP_JUMP || instruction->detail->groups[i] == X86_GRP_CALL;
	for (unsigned i = 0; i < x86->op_count; i++) {
		const cs_x86_op *operand = &x86->operands[i];

		if (operand->type == X86_OP_IMM)
			state(pass, jumps ? REFERENCE_CALL : REFERENCE_ADDRESS, (uint64_t)operand->imm);
		if (operand->type != X86_OP_MEM || operand->mem.segment != X86_REG_INVALID)
			continue;
		if (operand->mem.base == X86_REG_RIP)
			state(pass, lea ? REFERENCE_ADDRESS : REFERENCE_DATA,
			      instruction->address + instruction->size + (uint64_t)operand->mem.disp);
		else if (operand->mem.base == X86_REG_INVALID && operand->mem.index == X86_REG_INVALID && !lea)
			state(pass, REFERENCE_DATA, (uint64_t)operand->mem.disp);
		else /* an array at a fixed address */
			state(pass, REFERENCE_ADDRESS, (uint64_t)operand->mem.disp);
	}
}

bool decode_function(uintptr_t start, size_t size, void (*visit)(void *argument, const struct reference *reference),
		     void *argument)
{
	struct pass pass = { visit, argument };
	const uint8_t *code = (const uint8_t *)start;
	uint64_t address = start;

	if (!instruction || !memory_range_readable(start, size < 8 ? 8 : size))
		return false;
	while (size && capstone.next(handle, &code, &size, &address, instruction))
		look(&pass);
	return size == 0;
}

bool decode_thunk(uintptr_t start, size_t size, void (*visit)(void *argument, const struct reference *reference),
		  void *argument)
{
	struct pass pass = { visit, argument };
	const uint8_t *code = (const uint8_t *)start;
	uint64_t address = start;

	if (!instruction || !memory_range_readable(start, size))
		return false;
	while (size && capstone.next(handle, &code, &size, &address, instruction)) {
		look(&pass);
		if (instruction->id == X86_INS_JMP)
			return true;
	}
	return false;
}

#else

const char *decode_open(void)
{
#if defined(__x86_64__)
	return "built without capstone's headers, so handlers' code is not looked at";
#else
	return "handlers' code is looked at on x86-64 only";
#endif
}

bool decode_function(uintptr_t start, size_t size, void (*visit)(void *argument, const struct reference *reference),
		     void *argument)
{
	(void)start, (void)size, (void)visit, (void)argument;
	return false;
}

bool decode_thunk(uintptr_t start, size_t size, void (*visit)(void *argument, const struct reference *reference),
		  void *argument)
{
	return decode_function(start, size, visit, argument);
}

#endif
