/* SPDX-License-Identifier: MIT */
/*
 * `import`: an export, or a foreign log through a function in Lua, into a store that nobody else holds. A file is
 * looked through once before anything is written, so that one with a wrong line leaves the store as it was; what comes
 * on standard input is taken as it comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/import.h"
#include "daemon/legacy.h"
#include "daemon/lines.h"
#include "daemon/print.h"
#include "daemon/progress.h"
#include "daemon/verb.h"
#include "store/sqlite/sqlite.h"

#define LINE_ARENA ((size_t)64 << 20)

struct intake {
	struct lines lines;
	struct import import;
	struct exchange exchange;
	struct legacy *legacy; /* NULL: an export */
	struct arena arena;    /* of one line */
	struct import_place place;
	uint64_t skipped;
	bool ended; /* the last line of an export was seen */
	struct progress progress;
};

static int
at_line(const struct intake *intake, struct fault *fault)
{
	if (strncmp(fault->text, "line ", 5) != 0)
		fault_prefix(fault, "line %llu", (unsigned long long)intake->lines.number);
	return -1;
}

static int
bad(const struct intake *intake, const char *reason, struct fault *fault)
{
	fault_set(fault, FAULT_INPUT, "bad_import", "%s", reason);
	return at_line(intake, fault);
}

/* ---- lines of an export ---- */

static int
take_head(struct intake *intake, const struct exchange_line *read, struct fault *fault)
{
	if (intake->lines.number != 1)
		return bad(intake, "a second head: two exports in one file", fault);
	if (read->number != 1)
		return bad(intake, "the export is of a later form than this program knows", fault);
	if (read->upcast)
		return bad(intake,
			   "the events of this export were brought up to newer versions; it is for reading, "
			   "and only an export without --upcast can be imported",
			   fault);
	return 0;
}

static int
take_entry(struct intake *intake, const struct recorded_entry *entry, struct fault *fault)
{
	intake->place.entries++;
	return import_entry(&intake->import, entry, &intake->place, fault);
}

static int
take_export_line(struct intake *intake, const struct exchange_line *read, bool old, struct fault *fault)
{
	if (intake->lines.number == 1 && read->kind != EXCHANGE_HEAD)
		return bad(intake, "an export begins with its head", fault);
	if (intake->ended)
		return bad(intake, "a line behind the end of the export", fault);
	switch (read->kind) {
	case EXCHANGE_HEAD:
		return take_head(intake, read, fault);
	case EXCHANGE_SOURCE:
		return import_source(&intake->import, read, fault);
	case EXCHANGE_GENERATION:
		return import_rules(&intake->import, read, fault);
	case EXCHANGE_ENTRY:
		if (!old)
			return take_entry(intake, &read->entry, fault);
		intake->place.entries++;
		return 0;
	case EXCHANGE_UNIQUE:
		return old ? 0 : import_unique(&intake->import, read, &intake->place, fault);
	case EXCHANGE_END:
		intake->ended = true;
		if (read->number != intake->place.entries)
			return bad(intake, "the export says another number of entries than came", fault);
		return 0;
	}
	return 0;
}

/* Its keys are part of its commit. */
static int
take_legacy(struct intake *intake, const struct legacy_event *event, struct fault *fault)
{
	if (take_entry(intake, &event->entry, fault) != 0)
		return -1;
	for (size_t i = 0; i < event->key_count; i++) {
		struct exchange_line key = { .text = event->keys[i].set,
					     .key = event->keys[i].key,
					     .stream = event->entry.stream };
		if (import_reserve(&intake->import, &key, &intake->place, fault) != 0)
			return -1;
	}
	return 0;
}

/* ---- one line ---- */

/* Lines that an earlier run has brought in are only followed, and their last check compared. */
static int
take_line(struct intake *intake, struct slice line, struct fault *fault)
{
	const struct import_place *begun = &intake->import.place;
	struct exchange_line read;
	struct legacy_event event = { .skip = false };
	bool old = intake->import.store != NULL && intake->lines.number <= begun->line;

	arena_clear(&intake->arena);
	intake->import.line = intake->place.line = intake->lines.number;
	if (intake->legacy == NULL) {
		if (exchange_read(&intake->exchange, line, &intake->arena, &read, fault) != 0)
			return at_line(intake, fault);
	} else {
		exchange_foreign(&intake->exchange, line);
		if (legacy_read(intake->legacy, line, &intake->arena, &event, fault) != 0)
			return at_line(intake, fault);
	}
	intake->place.check = intake->exchange.check;
	if (old && intake->lines.number == begun->line && !check_equal(&begun->check, &intake->place.check))
		return bad(intake, "up to here the file is not the one that was imported before", fault);
	if (intake->legacy == NULL)
		return take_export_line(intake, &read, old, fault) == 0 ? 0 : at_line(intake, fault);
	intake->skipped += event.skip;
	intake->place.entries += old && !event.skip;
	if (old || event.skip)
		return 0;
	return take_legacy(intake, &event, fault) == 0 ? 0 : at_line(intake, fault);
}

static int
take_lines(struct intake *intake, struct fault *fault)
{
	struct slice line;
	bool found;

	for (;;) {
		if (lines_next(&intake->lines, &line, &found, fault) != 0)
			return -1;
		if (!found)
			break;
		if (intake->legacy != NULL && line.size == 0)
			continue;
		if (intake->legacy == NULL && intake->lines.cut)
			return bad(intake, "the file was cut: its last line has no end", fault);
		if (take_line(intake, line, fault) != 0)
			return -1;
		progress_show(&intake->progress, intake->lines.bytes, intake->lines.size, intake->place.entries);
	}
	if (intake->legacy == NULL && !intake->ended)
		return bad(intake, "the file was cut: the end of the export is missing", fault);
	return 0;
}

/* ---- the whole ---- */

/* The first line names the import; looked at without taking it. */
static int
first_line(struct intake *intake, struct slice *line, struct fault *fault)
{
	bool found;

	if (lines_next(&intake->lines, line, &found, fault) != 0)
		return -1;
	if (!found)
		return fault_set(fault, FAULT_INPUT, "bad_import", "%s is empty", intake->lines.name);
	return 0;
}

static void
begin_again(struct intake *intake)
{
	intake->exchange = (struct exchange){ .lines = 0 };
	intake->place = (struct import_place){ .line = 0 };
	intake->skipped = 0;
	intake->ended = false;
}

/* Nothing is written. */
static int
look_through(struct intake *intake, struct fault *fault)
{
	int result;

	if (!lines_rewind(&intake->lines))
		return 0;
	if (import_open(&intake->import, NULL, SLICE_NONE, fault) != 0)
		return -1;
	progress_begin(&intake->progress, "checking");
	result = take_lines(intake, fault);
	progress_end(&intake->progress);
	import_close(&intake->import);
	begin_again(intake);
	lines_rewind(&intake->lines);
	return result;
}

static int
bring_in(struct intake *intake, struct slice first, bool again, struct fault *fault)
{
	int result = 0;

	progress_begin(&intake->progress, "importing");
	/* Of standard input the first line is at hand already. */
	if (!again)
		result = take_line(intake, first, fault);
	if (result == 0)
		result = take_lines(intake, fault);
	intake->place.line = intake->lines.number;
	intake->place.done = true;
	/* What came before a wrong line is whole: it is kept, and the import goes on there when the file is mended. */
	struct fault flushing;
	if (result != 0) {
		intake->place.done = false;
		import_forget(&intake->import);
		import_flush(&intake->import, &intake->place, &flushing);
	} else if (!intake->import.place.done || intake->import.place.line != intake->place.line) {
		result = import_flush(&intake->import, &intake->place, fault);
	}
	progress_end(&intake->progress);
	return result;
}

static void
tell(const struct call *call, const struct intake *intake, const struct import_place *before)
{
	uint64_t now = intake->place.entries - before->entries;

	if (call_has(call, OPTION_JSON))
		printf("{\"imported\":%llu,\"before\":%llu,\"skipped\":%llu,\"head\":%llu}\n", (unsigned long long)now,
		       (unsigned long long)before->entries, (unsigned long long)intake->skipped,
		       (unsigned long long)intake->import.head);
	else if (before->line != 0)
		printf("imported %llu entries, %llu were there from before\n", (unsigned long long)now,
		       (unsigned long long)before->entries);
	else
		printf("imported %llu entries%s", (unsigned long long)now, intake->skipped == 0 ? "\n" : "");
	if (!call_has(call, OPTION_JSON) && before->line == 0 && intake->skipped != 0)
		printf(", %llu records passed over\n", (unsigned long long)intake->skipped);
}

static int
import_into(const struct call *call, struct intake *intake, struct slice first, bool again, const char *directory,
	    struct fault *fault)
{
	struct sqlite_options options = { .path = directory, .create = true };
	struct store *store;
	int result = -1;

	if (sqlite_open(&options, &store, fault) != 0)
		return -1;
	if (import_open(&intake->import, store, first, fault) == 0) {
		struct import_place before = intake->import.place;
		result = bring_in(intake, first, again, fault);
		if (result == 0)
			tell(call, intake, &before);
	}
	import_close(&intake->import);
	store_close(store);
	return result;
}

static int
import_file(const struct call *call, struct intake *intake, const char *directory, struct fault *fault)
{
	struct slice line, first = SLICE_NONE;
	struct arena kept;
	bool again;
	int result = -1;

	arena_init(&kept, EXCHANGE_LINE_MAX + 4096);
	if (first_line(intake, &line, fault) != 0)
		goto out;
	first = arena_copy(&kept, line);
	if (first.data == NULL) {
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for a line");
		goto out;
	}
	again = intake->lines.size != 0;
	if (look_through(intake, fault) != 0)
		goto out;
	result = import_into(call, intake, first, again, directory, fault);
out:
	arena_fini(&kept);
	return result;
}

static int
open_map(const struct call *call, const struct config *config, struct legacy **legacy, struct fault *fault)
{
	const struct script_limits limits = { .command_ms = (uint32_t)config_integer(config, CONFIG_COMMAND_MS),
					      .load_ms = (uint32_t)config_integer(config, CONFIG_LOAD_MS) };

	return call_has(call, OPTION_MAP) ? legacy_open(call->values[OPTION_MAP], &limits, legacy, fault) : 0;
}

enum exit_code
verb_import(struct call *call)
{
	struct config config;
	struct intake intake = { .legacy = NULL };
	struct fault fault;
	const char *directory;
	enum exit_code code = EXIT_DONE;

	arena_init(&intake.arena, LINE_ARENA);
	intake.lines.fd = -1;
	if (call_config(call, &config, &fault) != 0 || call_data(&config, &directory, &fault) != 0 ||
	    open_map(call, &config, &intake.legacy, &fault) != 0 ||
	    lines_open(&intake.lines, call->words[0], EXCHANGE_LINE_MAX, &fault) != 0 ||
	    import_file(call, &intake, directory, &fault) != 0)
		code = exit_say(&fault);
	lines_close(&intake.lines);
	legacy_close(intake.legacy);
	arena_fini(&intake.arena);
	config_fini(&config);
	return code;
}
