/* SPDX-License-Identifier: MIT */
#include "change.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "script/lua/lua_room.h"
#include "store/memory/memory.h"
#include "view/memory/view_memory.h"

static const char *const names[] = { "first", "second" };

static _Noreturn void
give_up(const char *what, const struct fault *fault)
{
	fprintf(stderr, "%s: %s: %s\n", what, fault->code, fault->text);
	exit(1);
}

static FILE *
create(const struct change *change, const char *domain, const char *name)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", change->folder, domain);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/%s", change->folder, domain, name);
	file = fopen(path, "w");
	if (file == NULL)
		exit(1);
	return file;
}

static void
write_command(FILE *file, const struct variant *variant, const char *name)
{
	if (variant->lacks != NULL && strcmp(variant->lacks, name) == 0)
		return;
	fprintf(file,
		"%s = { anywhere = true, data = {}, handle = function(state, _, ctx) local by = BY or ctx.settings.by; "
		"return { { type = 'Added', data = { by = by, amount = 1 } } }, { by = by, value = state.value + 1 } "
		"end },\n",
		name);
}

void
change_write(const struct change *change, const char *domain, const struct variant *variant)
{
	const char *fold = variant->fold != NULL ? variant->fold : "state.value = state.value + data.amount";
	FILE *file = create(change, domain, "counter.lua");

	fprintf(file, "local BY = %s%s%s\n", variant->setting ? "nil" : "'", variant->setting ? "" : variant->by,
		variant->setting ? "" : "'");
	fprintf(file, "return { name = 'counter', initial = function() return { value = 0 } end,\nevents = {\n");
	fprintf(file,
		"Added = { data = { by = 'string', amount = 'integer' }, apply = function(state, data) %s; return "
		"state "
		"end },\n",
		fold);
	if (variant->extra)
		fprintf(file, "Extra = { data = { by = 'string' }, apply = function(state) return state end },\n");
	fprintf(file, "},\ncommands = {\n");
	write_command(file, variant, "Add");
	write_command(file, variant, "Old");
	write_command(file, variant, "New");
	fprintf(file,
		"Raise = { anywhere = true, data = {}, handle = function() error('on purpose') end },\n"
		"Move = { anywhere = true, data = {}, handle = function(state, _, ctx) local by = BY or "
		"ctx.settings.by; "
		"local other = ctx:load('counter', 'other'); "
		"return { { type = 'Added', data = { by = by, amount = -1 } }, %s }, { by = by } end },\n} }\n",
		variant->extra ? "{ type = 'Extra', data = { by = by }, stream = other }"
			       : "{ type = 'Added', data = { by = by, amount = 1 }, stream = other }");
	fclose(file);
	file = create(change, domain, "domain.lua");
	fprintf(file, "return { settings = { by = '%s' } }\n", variant->by);
	fclose(file);
}

void
change_spoil(const struct change *change, const char *domain)
{
	FILE *file = create(change, domain, "counter.lua");

	fprintf(file, "return {{{\n");
	fclose(file);
}

static int
open_view(void *self, struct slice domain, unsigned slot, const struct table *tables, size_t table_count,
	  struct view **view, struct fault *fault)
{
	(void)self;
	(void)slot;
	(void)domain;
	return view_memory_open(tables, table_count, view, fault);
}

void
change_reopen(struct change *change, unsigned workers)
{
	struct engine_parts parts = { .store = change->store, .script = moon_ops(), .open_view = open_view };
	struct engine_limits limits = { .workers = workers,
					.determinism_sample = change->sample,
					.keep_undecided = change->keep };
	struct fault fault;

	if (change->sample != 0)
		limits.snapshot_check_us = 1000;
	if (engine_open(&parts, &limits, &change->engine, &fault) != 0)
		give_up("engine_open", &fault);
	for (size_t i = 0; i < countof(names); i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/%s", change->folder, names[i]);
		if (engine_add_domain(change->engine, path, &fault) != 0)
			give_up("engine_add_domain", &fault);
	}
	if (engine_start(change->engine, &fault) != 0)
		give_up("engine_start", &fault);
}

void
change_open(struct change *change, const struct variant *variant, unsigned workers)
{
	struct fault fault;

	*change = (struct change){ .folder = "/tmp/moonlog-change-XXXXXX" };
	if (mkdtemp(change->folder) == NULL || memory_open(NULL, &change->store, &fault) != 0)
		exit(1);
	for (size_t i = 0; i < countof(names); i++)
		change_write(change, names[i], variant);
	change_reopen(change, workers);
}

void
change_close_engine(struct change *change)
{
	if (!engine_drain(change->engine, INT64_MAX))
		exit(1);
	engine_close(change->engine);
	change->engine = NULL;
}

void
change_close(struct change *change)
{
	char command[128];

	change_close_engine(change);
	store_close(change->store);
	snprintf(command, sizeof(command), "rm -rf %s", change->folder);
	if (system(command) != 0)
		exit(1);
}

struct waiting_reload {
	struct engine_reload reload;
	struct mailbox answers;
};

static void
reload_done(struct engine_reload *reload)
{
	struct waiting_reload *waiting = container_of(reload, struct waiting_reload, reload);

	mailbox_give(&waiting->answers, &reload->mail);
}

static struct changed
ask(struct change *change, enum reload_what what, const char *domain, const char *projection)
{
	struct waiting_reload waiting = { .reload = { .what = what,
						      .domain = slice_text(domain),
						      .projection = slice_text(projection),
						      .no_shadow = true,
						      .done = reload_done } };
	struct arena arena;
	struct buf report;
	struct changed changed;

	arena_init(&arena, (size_t)16 << 20);
	buf_init(&report, (size_t)1 << 20);
	waiting.reload.arena = &arena;
	waiting.reload.out = &report;
	mailbox_init(&waiting.answers, 0, NULL);
	if (!engine_reload(change->engine, &waiting.reload) || mailbox_wait(&waiting.answers, -1) == NULL)
		exit(1);
	changed = (struct changed){ .answer = waiting.reload.answer, .generation = waiting.reload.generation };
	snprintf(changed.stage, sizeof(changed.stage), "%s", waiting.reload.stage);
	snprintf(changed.code, sizeof(changed.code), "%s", waiting.reload.fault.code);
	mailbox_fini(&waiting.answers);
	buf_fini(&report);
	arena_fini(&arena);
	return changed;
}

struct changed
change_ask(struct change *change, enum reload_what what, const char *domain)
{
	return ask(change, what, domain, "");
}

struct changed
change_rebuild(struct change *change, const char *domain, const char *projection)
{
	return ask(change, RELOAD_REBUILD, domain, projection);
}

enum outcome_kind
change_command(struct change *change, const char *domain, const char *id, const char *command, char reply[128])
{
	struct rig rig = { .engine = change->engine };
	struct ask ask;
	enum outcome_kind kind;
	struct slice text;

	ask_init(&ask, NULL, id, command, "{}");
	ask.command.domain = slice_text(domain);
	ask_run(&rig, &ask);
	kind = ask.command.outcome.kind;
	text = kind == OUTCOME_ACCEPTED ? ask.command.outcome.reply : ask.command.outcome.code;
	if (reply != NULL)
		snprintf(reply, 128, "%.*s", SLICE_ARG(text));
	ask_fini(&ask);
	return kind;
}

void
change_event(struct change *change, const char *stream, uint64_t version, char text[64])
{
	struct rig rig = { .engine = change->engine };
	struct engine_read read = { .kind = READ_STREAM, .stream = slice_text(stream), .from = version, .limit = 1 };
	struct arena arena;
	struct buf out;
	const char *generation, *by;

	text[0] = '\0';
	arena_init(&arena, 1 << 20);
	buf_init(&out, 1 << 20);
	if (read_once(&rig, &read, &arena, &out) == OUTCOME_ACCEPTED) {
		buf_byte(&out, '\0');
		generation = strstr(out.data, "\"generation\":");
		by = strstr(out.data, "\"by\":\"");
		if (generation != NULL && by != NULL)
			snprintf(text, 64, "%d:%.*s", atoi(generation + 13), (int)strcspn(by + 6, "\""), by + 6);
	}
	buf_fini(&out);
	arena_fini(&arena);
}
