/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks that end at a function of this program: they add nothing where all of their frames are the program's own. By
 * chance frames of one size come to lie at one place, with libc's between them or without.
 */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include "check.h"
#include "frames.h"
#include "ledger/traces.h"
#include "native/modules.h"
#include "native/trace.h"

static unsigned levels, libc_frames, proofs;
static uint32_t parent;
static uint64_t dice = 0x9e3779b97f4a7c15;

static unsigned throw(unsigned sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)(dice >> 33) % sides;
}

/* As a malloc would. */
static NOINLINE void allocate(void)
{
	struct caller caller = caller_at(CALLER_FRAME());
	bool foreign = throw(2);
	struct proof proof;
	uint32_t node = trace_here_proven(parent, &caller, &proof);

	CHECK((node != parent) == (libc_frames > 0));
	CHECK(proof.count == PROOF_NONE || proof_holds(&proof, &caller));
	proofs += proof.count != PROOF_NONE;
	CHECK(trace_here(parent, &caller, &foreign) == node && foreign == (libc_frames > 0));
}

static void ways(void);

static NOINLINE void way_left(void)
{
	ways();
	STAY;
}

static NOINLINE void way_right(void)
{
	ways();
	STAY;
}

static NOINLINE void way_grown(void)
{
	volatile char *room = __builtin_alloca(32 + throw(16) * 16);

	room[0] = 1;
	ways();
	room[1] = 1;
}

/* In a frame so large old ones stay as they were. */
static NOINLINE void way_wide(void)
{
	char room[256];

	ways();
	__asm__ volatile("" : : "r"(room) : "memory");
}

static int way_libc(const void *a, const void *b)
{
	ways();
	return *(const int *)a - *(const int *)b;
}

/* Frames of one size at one place, sometimes with libc's between them: whether a stack adds something is known from
 * what is counted. */
static NOINLINE void ways(void)
{
	void (*const own[])(void) = { way_left, way_right, way_grown, way_wide };
	int numbers[2] = { 1, 1 };

	if (levels == 0 || throw(4) == 0)
		allocate();
	if (levels == 0)
		return;
	levels--;
	for (volatile unsigned left = throw(4); left > 0; left--) {
		unsigned way = throw(9);

		if (way == 8) {
			size_t one = 1;

			libc_frames++;
			if (throw(2))
				qsort(numbers, 2, sizeof(numbers[0]), way_libc);
			else
				lfind(numbers, numbers, &one, sizeof(numbers[0]), way_libc);
			libc_frames--;
		} else {
			own[way % 4]();
		}
	}
	levels++;
}

static NOINLINE void stop(void)
{
	ways();
	STAY;
}

int main(void)
{
	modules_init();
	trace_init(64);
	trace_stop_at((uintptr_t)stop);
	for (volatile unsigned i = 0; i < 3000; i++) {
		levels = 9;
		parent = traces_child(TRACE_ROOT, trace_python(9, i / 8));
		stop();
		CHECK(levels == 9 && libc_frames == 0);
	}
	CHECK(proofs > 0);
	return 0;
}
