/* SPDX-License-Identifier: Apache-2.0 */
/* Findings of several reports folded by fingerprint; numbers and sizes in words. */
#include "merge.h"
#include "tally.h"
#include "text.h"

#include <assert.h>
#include <string.h>

#define FINDING(PRINT, LEVEL, COUNT, BYTES) \
	{.rule = "FH001", .name = "n", .fingerprint = PRINT, .message = "m", .level = LEVEL, .count = COUNT, \
	 .bytes = BYTES}

static void test_merge(void)
{
	struct finding first[] = {FINDING("aa", LEVEL_ERROR, 2, 100), FINDING("bb", LEVEL_NOTE, 1, 900)};
	struct finding second[] = {FINDING("bb", LEVEL_WARNING, 4, 300), FINDING("cc", LEVEL_ERROR, 1, 100),
		FINDING("bb", LEVEL_NOTE, 5, 1)};
	struct report reports[] = {{.findings = first, .finding_count = 2}, {.findings = second, .finding_count = 3}};
	struct report *list[] = {&reports[0], NULL, &reports[1]};
	struct merge merge;

	merge_reports(&merge, list, 3);
	assert(merge.count == 3);
	/* Errors first; with equal bytes by fingerprint. */
	assert(strcmp(merge.items[0].finding->fingerprint, "aa") == 0);
	assert(strcmp(merge.items[1].finding->fingerprint, "cc") == 0);
	/* The highest level decides what is printed, the largest numbers count, each report once. */
	assert(merge.items[2].finding == &second[0] && merge.items[2].level == LEVEL_WARNING);
	assert(merge.items[2].count == 5 && merge.items[2].bytes == 900 && merge.items[2].reports == 2);
	assert(merge_find(&merge, "bb") == &merge.items[2]);
	assert(merge_find(&merge, "dd") == NULL);
	merge_finish(&merge);

	merge_reports(&merge, NULL, 0);
	assert(merge.count == 0 && merge_find(&merge, "aa") == NULL);
	merge_finish(&merge);
}

static void size_is(int64_t bytes, const char *wanted)
{
	char word[WORD_SIZE];

	assert(strcmp(text_size(word, bytes), wanted) == 0);
}

static void test_words(void)
{
	char word[WORD_SIZE];

	size_is(UNKNOWN, "unknown size");
	size_is(0, "0 bytes");
	size_is(1, "1 byte");
	size_is(999, "999 bytes");
	size_is(1000, "1.0 KB");
	size_is(9949, "9.9 KB");
	size_is(9951, "10 KB");
	size_is(999499, "999 KB");
	size_is(999501, "1.0 MB");
	size_is(1900000, "1.9 MB");
	size_is(INT64_MAX, "9.2 EB");
	assert(strcmp(text_count(word, 1, "object"), "1 object") == 0);
	assert(strcmp(text_count(word, 5, "object"), "5 objects") == 0);
	assert(sum_of(INT64_MAX, 1) == INT64_MAX);
	assert(sum_of(UNKNOWN, 7) == 7);
}

static void test_tally(void)
{
	struct tally tally = {0};

	tally_fold(&tally);
	assert(tally.count == 0);
	tally_add(&tally, "b", 1, 5, "first");
	tally_add(&tally, "a", 2, 5, NULL);
	tally_add(&tally, "b", 3, UNKNOWN, "second");
	tally_fold(&tally);
	/* In the order of first appearance; an unknown part makes the sum unknown. */
	assert(tally.count == 2 && strcmp(tally.rows[0].text, "b") == 0);
	assert(tally.rows[0].count == 2 && tally.rows[0].bytes == 4 && tally.rows[0].native_bytes == UNKNOWN);
	assert(strcmp(tally.rows[0].first, "first") == 0);
	assert(tally.rows[1].count == 1 && tally.rows[1].native_bytes == 5);
	tally_finish(&tally);
}

int main(void)
{
	test_merge();
	test_words();
	test_tally();
	return 0;
}
