/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize.h"

#include "text.h"

#ifdef HAVE_LIBDW
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scopes.h"

#define BUILD_ID_MOST 64 /* bytes */

struct file {
	bool tried;
	Dwfl *session;          /* one a module: link-time addresses of two overlap */
	Dwfl_Module *module;    /* NULL: no names, for @reason */
	const char *reason;
};

struct symbols {
	struct file *files;     /* one for each of the report's modules */
};

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
};

/* bytes_of - a build-id's hexadecimal digits as bytes. Return: their number; 0: it is none. */
static size_t bytes_of(const char *text, unsigned char bytes[BUILD_ID_MOST])
{
	size_t length = text ? strlen(text) : 0;

	if (length < 2 || length % 2 != 0 || length / 2 > BUILD_ID_MOST ||
	    strspn(text, "0123456789abcdef") != length)
		return 0;
	for (size_t i = 0; i < length; i += 2) {
		char digits[3] = {text[i], text[i + 1], '\0'};

		bytes[i / 2] = (unsigned char)strtoul(digits, NULL, 16);
	}
	return length / 2;
}

static void close_file(struct file *file)
{
	if (file->session)
		dwfl_end(file->session);
	file->session = NULL;
	file->module = NULL;
}

/* verify - is what was opened the very module of the report? */
static bool verify(struct file *file, const unsigned char *id, size_t size)
{
	const unsigned char *bits;
	GElf_Addr where, bias;

	if (file->module && dwfl_module_getelf(file->module, &bias) &&
	    dwfl_module_build_id(file->module, &bits, &where) == (int)size && memcmp(bits, id, size) == 0)
		return true;
	close_file(file);
	return false;
}

/* open_path - @path as the module. Return: NULL, or the reason why not. */
static const char *open_path(struct file *file, const char *path, const unsigned char *id, size_t size)
{
	/* A report may name anything, a pipe or a device too. */
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	struct stat info;

	if (fd < 0)
		return "its file cannot be opened";
	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || !(file->session = dwfl_begin(&callbacks))) {
		close(fd);
		return "its file is not one that could be read";
	}
	dwfl_report_begin(file->session);
	file->module = dwfl_report_elf(file->session, path, path, fd, 0, true);
	if (!file->module)
		close(fd);
	dwfl_report_end(file->session, NULL, NULL);
	return verify(file, id, size) ? NULL : "its file is another than then (by its build-id)";
}

/* open_by_id - a file that is found by nothing but its build-id: by debuginfod, which libdw asks if it is set up. */
static bool open_by_id(struct file *file, const struct module *module, const unsigned char *id, size_t size)
{
	const char *servers = getenv("DEBUGINFOD_URLS");

	if (!servers || !*servers || !(file->session = dwfl_begin(&callbacks)))
		return false;
	dwfl_report_begin(file->session);
	file->module = dwfl_report_module(file->session, module->path ? module->path : "", 0, (Dwarf_Addr)1 << 46);
	if (file->module && dwfl_module_report_build_id(file->module, id, size, 0) != 0)
		file->module = NULL;
	dwfl_report_end(file->session, NULL, NULL);
	return verify(file, id, size);
}

static void open_module(struct pool *pool, struct file *file, const struct module *module)
{
	unsigned char id[BUILD_ID_MOST];
	size_t size = bytes_of(module->build_id, id);

	file->tried = true;
	if (size == 0) {
		file->reason = "it has no build-id that would tell its file from another";
		return;
	}
	file->reason = open_path(file, module->path, id, size);
	if (!file->reason)
		return;
	/* The program was upgraded or removed; its debug file may be there still. */
	if (!open_path(file, pool_print(pool, "/usr/lib/debug/.build-id/%.2s/%s.debug", module->build_id,
		module->build_id + 2), id, size) || open_by_id(file, module, id, size))
		file->reason = NULL;
}

static struct file *file_of(struct report *report, const struct module *module)
{
	struct file *file = &report->symbols->files[module - report->modules];

	if (!file->tried)
		open_module(&report->pool, file, module);
	return file;
}

void symbols_start(struct report *report)
{
	if (report->symbols)
		return;
	report->symbols = take(1, sizeof(*report->symbols));
	report->symbols->files = take(report->module_count, sizeof(*report->symbols->files));
}

void symbols_stop(struct report *report)
{
	if (!report->symbols)
		return;
	for (size_t i = 0; i < report->module_count; i++)
		close_file(&report->symbols->files[i]);
	free(report->symbols->files);
	free(report->symbols);
	report->symbols = NULL;
}

void symbols_find(struct report *report, const struct frame *frame)
{
	struct frame *found = &report->frames[frame - report->frames];
	struct place places[SCOPES_MOST], *kept;
	const struct file *file;
	GElf_Addr bias;

	if (!report->symbols || frame->looked_up || !frame->native || !frame->module || frame->offset == UNKNOWN)
		return;
	found->looked_up = true;
	file = file_of(report, frame->module);
	if (!file->module || !dwfl_module_getelf(file->module, &bias))
		return;
	found->place_count = scopes_at(&report->pool, file->module, (Dwarf_Addr)frame->offset + bias, places);
	kept = pool_take(&report->pool, found->place_count, sizeof(*kept));
	memcpy(kept, places, found->place_count * sizeof(*kept));
	found->places = kept;
	if (found->place_count > 0 && !kept[found->place_count - 1].function)
		kept[found->place_count - 1].function = frame->symbol;
}

void symbols_doubts(FILE *out, struct report *report, size_t limit)
{
	size_t doubts = 0;

	for (size_t i = 0; report->symbols && i < report->module_count; i++) {
		const struct file *file = &report->symbols->files[i];

		if (!file->tried || file->module)
			continue;
		if (doubts++ < limit)
			fprintf(out, "%sno source of %s: %s%s\n", style.dim,
				report->modules[i].path ? report->modules[i].path : "a module without a path", file->reason,
				style.off);
	}
	if (doubts > limit)
		fprintf(out, "%sand of %zu more%s\n", style.dim, doubts - limit, style.off);
}

#else /* without libdw */

void symbols_start(struct report *report)
{
	(void)report;
}

void symbols_stop(struct report *report)
{
	(void)report;
}

void symbols_find(struct report *report, const struct frame *frame)
{
	(void)report;
	(void)frame;
}

void symbols_doubts(FILE *out, struct report *report, size_t limit)
{
	(void)report;
	if (limit > 0)
		fprintf(out, "%sno source of native frames: forkheld was built without libdw%s\n", style.dim, style.off);
}
#endif
