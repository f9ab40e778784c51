/* SPDX-License-Identifier: MIT */
/*
 * Is the read model what a fresh replay gives [I6]?  Replays the whole log of a stopped daemon's data through the
 * domain's projections into the memory room, and compares canonical dumps of every table with views/<domain>.db.
 *
 *   replay DATA DOMAIN_FOLDER
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/domain.h"
#include "script/lua/lua_room.h"
#include "store/sqlite/sqlite.h"
#include "view/memory/view_memory.h"
#include "view/sqlite/view_sqlite.h"

struct replay {
	struct ruleset *rules;
	struct store *store;
	struct store_reader *reader;
	struct script_machine *machine;
	struct view *fresh, *kept;
	struct view_reader *kept_reader, *fresh_reader;
};

static int
open_all(struct replay *replay, const char *data, const char *folder, struct fault *fault)
{
	static const struct script_options options;
	struct sqlite_options store = { .path = data, .read_only = true };
	const struct script_program *program;
	char path[1024];

	if (domain_load(folder, moon_ops(), &options, &replay->rules, fault) != 0 ||
	    sqlite_open(&store, &replay->store, fault) != 0 ||
	    store_reader_open(replay->store, &replay->reader, fault) != 0)
		return -1;
	program = replay->rules->program;
	snprintf(path, sizeof(path), "%s/views/%.*s.db", data, SLICE_ARG(program->domain));
	return script_open(program, &options, &replay->machine, fault) != 0 ||
			       view_memory_open(program->tables, program->table_count, &replay->fresh, fault) != 0 ||
			       view_sqlite_open(path, true, program->tables, program->table_count, &replay->kept,
						fault) != 0 ||
			       view_reader_open(replay->kept, &replay->kept_reader, fault) != 0
		       ? -1
		       : 0;
}

static int
project_batch(struct replay *replay, const struct entries *entries, log_position seen, struct fault *fault)
{
	const struct script_program *program = replay->rules->program;

	for (size_t i = 0; i < program->projection_count; i++) {
		struct view_checkpoint checkpoint = { .projection = program->projections[i].name, .position = seen };
		size_t done;
		if (view_begin(replay->fresh, fault) != 0 ||
		    script_project(replay->machine, (uint16_t)i, view_rows(replay->fresh), entries->items,
				   entries->count, &done, fault) != 0 ||
		    view_commit(replay->fresh, &checkpoint, fault) != 0)
			return -1;
	}
	return 0;
}

static int
project_all(struct replay *replay, struct fault *fault)
{
	const struct script_program *program = replay->rules->program;
	log_position at = 0, head = store_head(replay->store);
	struct arena arena;
	int result = -1;

	arena_init(&arena, 256u << 20);
	for (size_t i = 0; i < program->projection_count; i++) {
		const struct script_projection *projection = &program->projections[i];
		if (view_define(replay->fresh, projection->name, projection->hash.bytes, projection->tables,
				projection->table_count, fault) != 0)
			goto out;
	}
	while (at < head) {
		struct entries entries;
		if (store_read_log(replay->reader, at, NULL, (struct read_limit){ 1000, 0 }, &arena, &entries, &at,
				   fault) != 0 ||
		    project_batch(replay, &entries, at, fault) != 0)
			goto out;
		arena_clear(&arena);
	}
	result = view_reader_open(replay->fresh, &replay->fresh_reader, fault);
out:
	arena_fini(&arena);
	return result;
}

/* Tables whose dumps differ; -1 on failure. */
static int
compare(struct replay *replay, struct fault *fault)
{
	const struct script_program *program = replay->rules->program;
	struct buf kept, fresh;
	int differ = 0;

	buf_init(&kept, SIZE_MAX);
	buf_init(&fresh, SIZE_MAX);
	if (view_reader_begin(replay->kept_reader, fault) != 0 || view_reader_begin(replay->fresh_reader, fault) != 0)
		return -1;
	for (size_t i = 0; i < program->table_count; i++) {
		buf_clear(&kept);
		buf_clear(&fresh);
		if (view_dump(view_reader_rows(replay->kept_reader), (uint16_t)i, &kept, fault) != 0 ||
		    view_dump(view_reader_rows(replay->fresh_reader), (uint16_t)i, &fresh, fault) != 0)
			return -1;
		bool same = slice_equal(buf_slice(&kept), buf_slice(&fresh));
		printf("table %.*s: %zu bytes of rows, %s a fresh replay\n", SLICE_ARG(program->tables[i].name),
		       fresh.size, same ? "equal to" : "NOT equal to");
		differ += !same;
	}
	view_reader_end(replay->kept_reader);
	view_reader_end(replay->fresh_reader);
	buf_fini(&kept);
	buf_fini(&fresh);
	return differ;
}

int
main(int argc, char **argv)
{
	static struct replay replay;
	struct fault fault;
	int differ = -1;

	if (argc != 3)
		return fprintf(stderr, "usage: replay DATA DOMAIN_FOLDER\n"), 2;
	if (open_all(&replay, argv[1], argv[2], &fault) == 0 && project_all(&replay, &fault) == 0)
		differ = compare(&replay, &fault);
	if (differ < 0)
		fprintf(stderr, "replay: %s\n", fault.text);
	view_reader_close(replay.kept_reader);
	view_reader_close(replay.fresh_reader);
	view_close(replay.kept);
	view_close(replay.fresh);
	if (replay.machine != NULL)
		script_close(replay.machine);
	store_reader_close(replay.reader);
	store_close(replay.store);
	ruleset_release(replay.rules);
	return differ != 0;
}
