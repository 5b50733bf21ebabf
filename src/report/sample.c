/* SPDX-License-Identifier: Apache-2.0 */
#include "report/sample.h"

#include "base/options.h"

#define MEMO 256u

/* 1 - exp(-x) for x > 0, without libm: a host need not have it. */
static double chance(double x)
{
	unsigned halvings = 0;
	if (x > 40)
		return 1;
	for (; x > 1.0 / 64; x /= 2)
		halvings++;
	double result = x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5))));
	for (; halvings > 0; halvings--) /* 1 - (1 - p)^2 */
		result = result * (2 - result);
	return result;
}

uint64_t sample_weight(uint64_t size)
{
	static struct { uint64_t size, weight; } memo[MEMO];
	if (options.sample == 0)
		return SAMPLE_ONE;
	uint64_t asked = size ? size : 1;
	unsigned slot = (unsigned)(asked / 16 % MEMO);
	if (memo[slot].size != asked) {
		memo[slot].size = asked;
		memo[slot].weight = (uint64_t)(SAMPLE_ONE / chance((double)asked / (double)options.sample) + 0.5);
	}
	return memo[slot].weight;
}
