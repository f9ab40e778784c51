/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "script/lua/lua_room.h"
#include "store/memory/memory.h"
#include "store/sqlite/sqlite.h"
#include "view/memory/view_memory.h"

static void
give_up(const char *what, const struct fault *fault)
{
	fprintf(stderr, "%s: %s: %s\n", what, fault->code, fault->text);
	exit(1);
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
rig_reopen(struct rig *rig, const struct engine_limits *limits)
{
	struct engine_parts parts = {
		.store = rig->store, .script = moon_ops(), .open_view = open_view, .clock = rig->clock
	};
	/* A sanitizer is slow: what is not about time must not end by it. */
	struct engine_limits patient = limits != NULL ? *limits : (struct engine_limits){ 0 };
	struct fault fault;

	if (patient.script.command_ms == 0)
		patient.script = (struct script_limits){ 20000, 20000, 20000, 20000, 20000 };
	if (engine_open(&parts, &patient, &rig->engine, &fault) != 0)
		give_up("engine_open", &fault);
	if (engine_add_domain(rig->engine, "tests/unit/core/tally", &fault) != 0)
		give_up("engine_add_domain", &fault);
	if (engine_start(rig->engine, &fault) != 0)
		give_up("engine_start", &fault);
}

void
rig_open_store(struct rig *rig, enum rig_store kind)
{
	struct sqlite_options options = { .path = rig->folder, .create = true };
	struct fault fault;

	*rig = (struct rig){ .kind = kind };
	snprintf(rig->folder, sizeof(rig->folder), "/tmp/moonlog-core-XXXXXX");
	if (kind == RIG_SQLITE && mkdtemp(rig->folder) == NULL)
		exit(1);
	if ((kind == RIG_MEMORY ? memory_open(NULL, &rig->store, &fault)
				: sqlite_open(&options, &rig->store, &fault)) != 0)
		give_up("store", &fault);
}

void
rig_open(struct rig *rig, enum rig_store kind, const struct engine_limits *limits)
{
	rig_open_store(rig, kind);
	rig_reopen(rig, limits);
}

void
rig_close_engine(struct rig *rig)
{
	if (!engine_drain(rig->engine, INT64_MAX))
		exit(1);
	engine_close(rig->engine);
	rig->engine = NULL;
}

void
rig_close(struct rig *rig)
{
	char command[128];

	rig_close_engine(rig);
	store_close(rig->store);
	snprintf(command, sizeof(command), "rm -rf %s", rig->folder);
	if (rig->kind == RIG_SQLITE && system(command) != 0)
		exit(1);
}

static void
answered(struct engine_command *command)
{
	struct ask *ask = container_of(command, struct ask, command);

	mailbox_give(ask->answers, &command->mail);
}

void
ask_init(struct ask *ask, struct mailbox *answers, const char *id, const char *command, const char *body)
{
	memset(ask, 0, sizeof(*ask));
	arena_init(&ask->arena, (size_t)16 << 20);
	ask->answers = answers;
	ask->command.domain = SLICE("tally");
	ask->command.aggregate = SLICE("counter");
	ask->command.command = slice_text(command);
	ask->command.id = slice_text(id);
	ask->command.body = slice_text(body);
	ask->command.arena = &ask->arena;
	ask->command.done = answered;
}

void
ask_fini(struct ask *ask)
{
	arena_fini(&ask->arena);
}

void
ask_run(struct rig *rig, struct ask *ask)
{
	struct mailbox answers;

	mailbox_init(&answers, 0, NULL);
	ask->answers = &answers;
	if (engine_execute(rig->engine, &ask->command) && mailbox_wait(&answers, -1) == NULL)
		exit(1);
	mailbox_fini(&answers);
}

enum outcome_kind
ask_once(struct rig *rig, struct ask *ask, const char *id, const char *command, const char *body)
{
	ask_init(ask, NULL, id, command, body);
	ask_run(rig, ask);
	return ask->command.outcome.kind;
}

void
ask_give_all(struct rig *rig, struct ask *asks, size_t count, struct mailbox *answers, size_t *taken)
{
	*taken = 0;
	for (size_t i = 0; i < count; i++) {
		asks[i].answers = answers;
		*taken += engine_execute(rig->engine, &asks[i].command);
	}
}

void
ask_collect(struct mailbox *answers, size_t count)
{
	while (count != 0)
		for (struct mail *list = mailbox_wait(answers, -1); list != NULL; list = list->next)
			count--;
}

struct waiting_read {
	struct engine_read read;
	struct mailbox answers;
};

static void
read_done(struct engine_read *read)
{
	struct waiting_read *waiting = container_of(read, struct waiting_read, read);

	mailbox_give(&waiting->answers, &read->mail);
}

enum outcome_kind
read_once(struct rig *rig, struct engine_read *read, struct arena *arena, struct buf *out)
{
	struct waiting_read waiting = { .read = *read };

	mailbox_init(&waiting.answers, 0, NULL);
	waiting.read.arena = arena;
	waiting.read.out = out;
	waiting.read.done = read_done;
	if (engine_read(rig->engine, &waiting.read) && mailbox_wait(&waiting.answers, -1) == NULL)
		exit(1);
	mailbox_fini(&waiting.answers);
	*read = waiting.read;
	return read->outcome;
}

long long
rig_value(struct rig *rig, const char *id)
{
	char stream[64];
	struct engine_read read = { .kind = READ_STATE };
	struct arena arena;
	struct buf out;
	const char *at;
	long long value = -1;

	snprintf(stream, sizeof(stream), "tally.counter/%s", id);
	read.stream = slice_text(stream);
	arena_init(&arena, 1 << 20);
	buf_init(&out, 1 << 20);
	if (read_once(rig, &read, &arena, &out) == OUTCOME_ACCEPTED) {
		buf_byte(&out, '\0');
		at = strstr(out.data, "\"value\":");
		if (at != NULL)
			value = atoll(at + 8);
	}
	buf_fini(&out);
	arena_fini(&arena);
	return value;
}
