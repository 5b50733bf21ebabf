/* SPDX-License-Identifier: Apache-2.0 */
/* Output patterns: which are good, which file names they give. */
#include "pattern.h"

#include <assert.h>
#include <string.h>

static void good(const char *given, const char *directory, const char *name)
{
	struct pattern pattern;

	assert(pattern_init(&pattern, given) == NULL);
	assert(pattern.text[0] == '/');
	if (directory)
		assert(pattern.directory && strcmp(pattern.directory, directory) == 0);
	else
		assert(pattern.directory == NULL);
	assert(strcmp(pattern.name, name) == 0);
	pattern_finish(&pattern);
}

static void bad(const char *given)
{
	struct pattern pattern;

	assert(pattern_init(&pattern, given) != NULL);
	pattern_finish(&pattern);
}

static void matches(const char *name, const char *file)
{
	assert(pattern_matches(name, file));
}

static void differs(const char *name, const char *file)
{
	assert(!pattern_matches(name, file));
}

int main(void)
{
	good("/tmp/forkheld.%p.json", "/tmp", "forkheld.%p.json");
	good("/x.json", "/", "x.json");
	good("/a%%b/x", "/a%b", "x");
	good("/a/%p/x", NULL, "x");
	good("/a/%%%e/x", NULL, "x");
	bad("");
	bad("/");
	bad("a/");
	bad("100%");
	bad("%d");
	bad("%%%");

	matches("forkheld.%p.json", "forkheld.1.json");
	matches("forkheld.%p.json", "forkheld.4711.json.1");
	matches("forkheld.%p.json", "forkheld.4711.json.20");
	differs("forkheld.%p.json", "forkheld..json");
	differs("forkheld.%p.json", "forkheld.x.json");
	differs("forkheld.%p.json", "forkheld.1.json.");
	differs("forkheld.%p.json", "forkheld.1.json.x");
	differs("forkheld.%p.json", "forkheld.1.json.1.2");
	differs("forkheld.%p.json", "forkheld.1.jsonx");
	differs("forkheld.%p.json", ".forkheld.1.json.tmp");
	matches("%e-%p-%n", "python3.11-12-1");
	matches("%e-%p-%n", "a-b-12-1");
	differs("%e-%p-%n", "-12-1");
	differs("%e-%p-%n", "python-12-");
	matches("100%%.%p", "100%.7");
	differs("100%%.%p", "100%%.7");
	matches("fixed", "fixed");
	matches("fixed", "fixed.1");
	differs("fixed", "fixed1");
	differs("fixed", "fixe");
	return 0;
}
