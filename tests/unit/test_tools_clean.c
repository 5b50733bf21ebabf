/* SPDX-License-Identifier: Apache-2.0 */
/* Text of a stranger: what is escaped, what stays. */
#include "clean.h"

#include <assert.h>
#include <string.h>

static void expect(const char *text, const char *wanted)
{
	struct pool pool = {0};
	char line[100];

	assert(strcmp(clean_text(&pool, text), wanted) == 0);
	assert(strcmp(clean_line(line, sizeof(line), text), wanted) == 0);
	/* Clean text is not copied, and clean twice is clean once. */
	if (strcmp(text, wanted) == 0)
		assert(clean_text(&pool, text) == text);
	assert(strcmp(clean_text(&pool, wanted), wanted) == 0);
	pool_finish(&pool);
}

static void expect_line(size_t size, const char *text, const char *wanted)
{
	char line[100];

	memset(line, 'x', sizeof(line));
	assert(strcmp(clean_line(line, size, text), wanted) == 0);
	assert(line[size] == 'x');
}

int main(void)
{
	expect("", "");
	expect("plain text, \\ and ' and \"", "plain text, \\ and ' and \"");
	expect("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x8d", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x8d");
	expect("a\nb\tc\rd", "a\\nb\\tc\\x0dd");
	expect("\033[31m\007\177", "\\x1b[31m\\x07\\x7f");
	expect("\xc2\x9b" "31m", "\\u009b31m");
	expect("\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8\xef\xbb\xbf", "\\u202e\\u2066\\u2028\\ufeff");
	/* Not UTF-8: stray and missing continuation, overlong, surrogate, beyond Unicode, cut at the end. */
	expect("\x80" "a", "\\x80a");
	expect("\xc3" "a", "\\xc3a");
	expect("\xc0\xaf", "\\xc0\\xaf");
	expect("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	expect("\xed\xa0\x80", "\\xed\\xa0\\x80");
	expect("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	expect("\xff\xfe", "\\xff\\xfe");
	expect("a\xf0\x9f\x90", "a\\xf0\\x9f\\x90");

	expect_line(8, "1234", "1234");
	expect_line(8, "12345678901", "1234...");
	expect_line(8, "\033\033\033", "\\x1b...");
	expect_line(4, "\033", "...");
	return 0;
}
