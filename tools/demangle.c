/* SPDX-License-Identifier: Apache-2.0 */
#include "demangle.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Longer ones exist in theory; a hostile one must not cost minutes. */
#define LONGEST 4096

typedef char *demangler(const char *name, char *buffer, size_t *size, int *status);

/* find_demangler - by the C++ ABI's name for it, in whichever C++ library is there. */
static demangler *find_demangler(void)
{
	static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1"};
	static demangler *found;
	static bool tried;

	for (size_t i = 0; !tried && !found && i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_LOCAL);

		if (library)
			*(void **)&found = dlsym(library, "__cxa_demangle");
	}
	tried = true;
	return found;
}

const char *demangle(struct pool *pool, const char *name)
{
	demangler *function;
	char *text;
	int status;

	if (strncmp(name, "_Z", 2) != 0 || strlen(name) > LONGEST || !(function = find_demangler()))
		return name;
	text = function(name, NULL, NULL, &status);
	if (!text)
		return name;
	name = pool_text(pool, text, strlen(text));
	free(text);
	return name;
}
