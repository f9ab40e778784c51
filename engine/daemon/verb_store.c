/* SPDX-License-Identifier: MIT */
/* `verify`, `backup`, `restore`: the store as a whole. Verify and backup run beside the daemon. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/client.h"
#include "daemon/print.h"
#include "daemon/reading.h"
#include "store/sqlite/sqlite.h"

#define OUT_MAX ((size_t)1 << 20)

static const char *const kinds[] = {
	[VERIFY_CONTENT] = "content",       [VERIFY_LINK] = "link",     [VERIFY_VERSION] = "version",
	[VERIFY_POSITION] = "position",     [VERIFY_INDEX] = "index",   [VERIFY_TAIL] = "tail",
	[VERIFY_UNREADABLE] = "unreadable", [VERIFY_RECORD] = "record",
};

static void
print_finding_json(void *self, const struct verify_finding *finding)
{
	struct buf *out = self;

	buf_format(out, "{\"finding\":\"%s\"", kinds[finding->kind]);
	if (finding->stream.size != 0) {
		json_key(out, "stream");
		json_quote(out, finding->stream);
	}
	buf_format(out, ",\"first\":%llu,\"last\":%llu,\"text\":", (unsigned long long)finding->first,
		   (unsigned long long)finding->last);
	json_quote(out, slice_text(finding->text));
	buf_text(out, "}\n");
	print_out(out);
}

static void
print_finding(void *self, const struct verify_finding *finding)
{
	struct buf *out = self;

	buf_format(out, "%s: ", kinds[finding->kind]);
	if (finding->stream.size != 0)
		buf_format(out, "%.*s ", SLICE_ARG(finding->stream));
	if (finding->first == finding->last)
		buf_format(out, "position %llu: ", (unsigned long long)finding->first);
	else
		buf_format(out, "positions %llu to %llu: ", (unsigned long long)finding->first,
			   (unsigned long long)finding->last);
	buf_format(out, "%s\n", finding->text);
	print_out(out);
}

static void
show_progress(void *self, log_position at, log_position head)
{
	(void)self;
	print_progress("%llu of %llu entries (%llu %%)", (unsigned long long)at, (unsigned long long)head,
		       (unsigned long long)(head != 0 ? at * 100 / head : 100));
}

enum exit_code
verb_verify(struct call *call)
{
	bool json = call_has(call, OPTION_JSON);
	struct reading reading;
	struct fault fault;
	struct buf out;
	enum exit_code code = EXIT_DONE;
	struct verify_report report = {
		.found = json ? print_finding_json : print_finding,
		.progress = show_progress,
		.self = &out,
	};

	buf_init(&out, OUT_MAX);
	if (reading_open(call, &reading, &fault) != 0 || store_verify(reading.reader, &report, &fault) != 0) {
		print_progress("%s", "");
		code = exit_say(&fault);
	} else {
		print_progress("%s", "");
		buf_format(&out,
			   json ? "{\"verified\":%s,\"entries\":%llu,\"findings\":%llu}\n"
				: "%s: %llu entries, %llu findings\n",
			   json ? (report.findings == 0 ? "true" : "false")
				: (report.findings == 0 ? "verified" : "NOT verified"),
			   (unsigned long long)report.entries, (unsigned long long)report.findings);
		print_out(&out);
		code = report.findings == 0 ? EXIT_DONE : EXIT_FAILED;
	}
	reading_close(&reading);
	buf_fini(&out);
	return code;
}

/* ---- backup ---- */

/* The daemon's working directory is not ours. */
static int
absolute(const char *path, char out[PATH_MAX], struct fault *fault)
{
	char here[PATH_MAX];
	int size = 0;

	if (path[0] == '/')
		size = snprintf(out, PATH_MAX, "%s", path);
	else if (getcwd(here, sizeof(here)) != NULL)
		size = snprintf(out, PATH_MAX, "%s/%s", here, path);
	if (size <= 0 || size >= PATH_MAX)
		return fault_errno(fault, FAULT_CONFIG, ENAMETOOLONG, "%s", path);
	if (access(out, F_OK) == 0)
		return fault_set(fault, FAULT_CONFIG, "backup_exists", "%s is there already", out);
	snprintf(here, sizeof(here), "%.*s", (int)(strrchr(out, '/') - out), out);
	if (here[0] != '\0' && access(here, F_OK) != 0)
		return fault_set(fault, FAULT_CONFIG, "cannot_create", "%s: %s", here, strerror(errno));
	return 0;
}

static int
backup_by_daemon(const char *directory, const char *path, struct fault *fault)
{
	struct buf body, answer;

	buf_init(&body, OUT_MAX);
	buf_init(&answer, OUT_MAX);
	buf_text(&body, "{\"path\":");
	json_quote(&body, slice_text(path));
	buf_byte(&body, '}');
	int result = client_ask(directory, "POST", "/admin/backup", buf_slice(&body), &answer, fault);
	buf_fini(&body);
	buf_fini(&answer);
	return result;
}

static int
backup_here(struct reading *reading, const char *path, struct fault *fault)
{
	struct verify_report report = { .progress = show_progress };

	if (reading_open_config(reading, fault) != 0)
		return -1;
	int result = store_backup(reading->reader, path, &report, fault);
	print_progress("%s", "");
	return result;
}

static void
print_done(const struct call *call, const char *what, const char *path)
{
	struct buf out;

	buf_init(&out, OUT_MAX);
	if (call_has(call, OPTION_JSON)) {
		buf_format(&out, "{\"%s\":", what);
		json_quote(&out, slice_text(path));
		buf_text(&out, ",\"verified\":true}\n");
	} else {
		buf_format(&out, "%s: %s, verified\n", what, path);
	}
	print_out(&out);
	buf_fini(&out);
}

enum exit_code
verb_backup(struct call *call)
{
	struct reading reading = { 0 };
	struct fault fault;
	const char *directory;
	char path[PATH_MAX];
	enum exit_code code = EXIT_DONE;
	int result = -1;

	if (call_config(call, &reading.config, &fault) == 0 && call_data(&reading.config, &directory, &fault) == 0 &&
	    absolute(call->words[0], path, &fault) == 0)
		result = client_reaches(directory) ? backup_by_daemon(directory, path, &fault)
						   : backup_here(&reading, path, &fault);
	if (result == 0)
		print_done(call, "backup", path);
	else
		code = exit_say(&fault);
	reading_close(&reading);
	return code;
}

enum exit_code
verb_restore(struct call *call)
{
	struct config config;
	struct fault fault;
	const char *directory;
	enum exit_code code = EXIT_DONE;

	if (call_config(call, &config, &fault) == 0 && call_data(&config, &directory, &fault) == 0 &&
	    sqlite_restore(call->words[0], directory, &fault) == 0)
		print_done(call, "restored", directory);
	else
		code = exit_say(&fault);
	config_fini(&config);
	return code;
}
