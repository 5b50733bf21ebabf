/* SPDX-License-Identifier: Apache-2.0 */
#include "entry/marks.h"
#include "base/libc.h"
#include "base/os.h"
#include "entry/atfork.h"
#include "ledger/times.h"

/* The marks' functions must differ: libc gives a handler nothing to know itself by. */
#define MARKS(X) \
	X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) \
	X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32) \
	X(33) X(34) X(35) X(36) X(37) X(38) X(39) X(40) X(41) X(42) X(43) X(44) X(45) X(46) X(47) X(48) \
	X(49) X(50) X(51) X(52) X(53) X(54) X(55) X(56) X(57) X(58) X(59) X(60) X(61) X(62) X(63) X(64)

#define MARK_FUNCTIONS(n) \
	static void prepare_##n(void) { marks_pass(n, PHASE_BEFORE); } \
	static void parent_##n(void) { marks_pass(n, PHASE_PARENT); } \
	static void child_##n(void) { marks_pass(n, PHASE_CHILD); }
MARKS(MARK_FUNCTIONS)

#define MARK_ROW(n) { prepare_##n, parent_##n, child_##n },
static handler_fn *const handlers[TIMES_MAX][PHASES] = { MARKS(MARK_ROW) };

static uint32_t started, ended;  /* registrations that went into our wrappers, and that came out */
static bool gap;                 /* there is a registration without a mark behind the last mark */

/* The last mark that this thread's fork came by, and when. */
static __thread uint32_t last_mark __attribute__((tls_model("initial-exec")));
static __thread uint64_t last_ns __attribute__((tls_model("initial-exec")));

void marks_pass(uint32_t mark, enum phase phase)
{
	uint64_t now;

	if (atfork_depth() != 1)
		return;
	now = os_monotonic_ns();
	if (phase == PHASE_BEFORE && last_mark == mark + 1)
		times_add(mark, phase, now - last_ns);
	else if (phase != PHASE_BEFORE && mark && last_mark == mark - 1)
		times_add(mark - 1, phase, now - last_ns);
	last_mark = mark;
	last_ns = now;
}

struct marks_turn marks_begin(void)
{
	uint32_t number = __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);

	return (struct marks_turn){ number, __atomic_load_n(&ended, __ATOMIC_SEQ_CST) == number - 1 };
}

static bool alone(struct marks_turn turn)
{
	return turn.alone && __atomic_load_n(&started, __ATOMIC_SEQ_CST) == turn.number;
}

/* put_mark - behind @entry, the last registration that libc has. Return: is there one now? */
static bool put_mark(struct marks_turn turn, const struct registration *entry,
		     int (*put)(handler_fn *prepare, handler_fn *parent, handler_fn *child))
{
	uint32_t slot = times_count();
	bool spoilt;

	if (slot == TIMES_MAX || !libc_bears_marks())
		return false;
	spoilt = __atomic_exchange_n(&gap, false, __ATOMIC_SEQ_CST);
	if (put(handlers[slot][PHASE_BEFORE], handlers[slot][PHASE_PARENT], handlers[slot][PHASE_CHILD]) != 0)
		return false;
	times_begin(entry->sequence);
	/* Others may have come in between after all. */
	if (spoilt || !alone(turn))
		times_spoil(slot);
	return true;
}

void marks_end(struct marks_turn turn, const struct registration *entry, bool done,
	       int (*put)(handler_fn *prepare, handler_fn *parent, handler_fn *child))
{
	bool marked = done && entry && !entry->in_handler && alone(turn) && put_mark(turn, entry, put);

	if (done && !marked)
		__atomic_store_n(&gap, true, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

void marks_child(void)
{
	if (ended != started)
		gap = true;
	ended = started;
}
