/* SPDX-License-Identifier: Apache-2.0 */
/* What the report says of itself: process, snapshot. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/libc.h"
#include "base/options.h"
#include "base/os.h"
#include "forkheld/report.h"
#include "ledger/registrations.h"
#include "native/modules.h"
#include "python/attach.h"
#include "python/interpreters.h"
#include "report/json.h"
#include "report/write.h"

json_t *write_own_build_id(void)
{
	uint32_t own = modules_find((uintptr_t)(void *)write_own_build_id);
	if (own == MODULE_NONE)
		return json_null();
	return json_bytes(modules_get(own)->build_id, modules_get(own)->build_id_size);
}

static json_t *libc_object(void)
{
	json_t *object = json_object();
	json_set(object, "name", json_string(LIBC_NAME));
	json_set(object, "version", json_text(libc_version()));
	return object;
}

static json_t *python_object(void)
{
	if (!python_present())
		return json_null();
	uint32_t count = 0;
	for (uint32_t i = 0; i < interpreters_count(); i++)
		count += !interpreters_get(i)->ended;
	json_t *object = json_object();
	json_set(object, "version", json_text(py.version_text));
	uint32_t module = modules_find((uintptr_t)(void *)py.Py_GetVersion);
	bool main_program = module != MODULE_NONE && module == modules_find(getauxval(AT_ENTRY));
	json_set(object, "build", json_string(main_program ? "static" : "shared"));
	json_set(object, "free_threaded", json_boolean(py.free_threaded));
	json_set(object, "interpreters", json_integer(count));
	return object;
}

/* The command line as the kernel shows it; arguments are host data, so all but the first only on request. */
static void set_arguments(json_t *object)
{
	static char text[1 << 16];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	size = size < 0 ? 0 : size;
	text[size] = '\0';
	json_t *arguments = json_array();
	int count = 0;
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(text + at) + 1, count++)
		json_push(arguments, json_text(text + at));
	json_set(object, "argv0", json_text(size ? text : NULL));
	json_set(object, "argc", json_integer(count));
	if (options.argv)
		json_set(object, "argv", arguments);
	else
		json_decref(arguments);
}

json_t *write_process(const struct material *material)
{
	char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
	path[size > 0 ? size : 0] = '\0';
	json_t *object = json_object();
	json_set(object, "pid", json_integer(material->request->pid));
	json_set(object, "ppid", json_integer(material->request->ppid));
	json_set(object, "exe", json_text(size > 0 ? path : NULL));
	set_arguments(object);
	json_set(object, "start_time", json_time(material->request->start_time_ns));
	json_set(object, "fork_generation", json_integer(registrations_generation()));
	json_set(object, "libc", libc_object());
	json_set(object, "python", python_object());
	return object;
}

json_t *write_snapshot(const struct material *material)
{
	const struct report_request *request = material->request;
	const char *reason = request->reason ? request->reason : material->retention_problem;
	json_t *object = json_object();
	json_set(object, "trigger", json_text(request->trigger));
	json_set(object, "sequence", json_integer(request->sequence));
	json_set(object, "label", json_text(request->label));
	json_set(object, "time", json_time(os_realtime_ns()));
	json_set(object, "complete", json_boolean(!reason));
	json_set(object, "reason", json_text(reason));
	json_set(object, "isolation", json_string(request->in_place ? "in-place" : "copy"));
	json_set(object, "pause_ns", json_number(request->shared_pause_ns ? *request->shared_pause_ns : request->pause_ns));
	json_set(object, "analysis_ns", json_number(os_monotonic_ns() - material->start_ns));
	return object;
}
