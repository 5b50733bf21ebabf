/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - what a test must find true, however it is built; else it says what is not, and ends. */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, #condition); \
			exit(1); \
		} \
	} while (0)

#endif
