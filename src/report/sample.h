/* SPDX-License-Identifier: Apache-2.0 */
/* sample.h - with the option sample, what one recorded block stands for. */
#ifndef REPORT_SAMPLE_H
#define REPORT_SAMPLE_H
#include <stdint.h>

#define SAMPLE_ONE 65536u

/* sample_weight - for how many blocks a recorded one of @size bytes stands, in units of 1/SAMPLE_ONE: one over the
 * chance that an allocation of that size is recorded, which is 1 - exp(-size / sample).
 * Without sampling: SAMPLE_ONE. */
uint64_t sample_weight(uint64_t size);

/* sample_round - a sum of weights (times bytes), in whole units. */
static inline uint64_t sample_round(uint64_t sum)
{
	return (sum + SAMPLE_ONE / 2) / SAMPLE_ONE;
}

#endif
