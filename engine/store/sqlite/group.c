/* SPDX-License-Identifier: MIT */
/* Tables sized for the group before it begins, so that nothing fails halfway. Fails: MEMORY, in group_begin. */
#include "store/sqlite/group.h"

#include <stdlib.h>

void
group_init(struct group *group)
{
	*group = (struct group){ 0 };
	arena_init(&group->arena, SIZE_MAX);
}

void
group_fini(struct group *group)
{
	free(group->streams);
	free(group->records);
	free(group->commands);
	free(group->rows);
	free(group->bares);
	arena_fini(&group->arena);
}

/* A cleared table of at least twice `count` slots. */
static int
make_table(void *table, size_t *room, size_t count, size_t size)
{
	void **slots = table;
	size_t wanted = *room != 0 ? *room : 64;

	while (wanted < count * 2)
		wanted *= 2;
	if (wanted != *room || wanted > 4096) { /* a rare large group must not make every later one clear its table */
		void *fresh;

		for (wanted = 64; wanted < count * 2;)
			wanted *= 2;
		fresh = calloc(wanted, size);
		if (fresh == NULL)
			return -1;
		free(*slots);
		*slots = fresh;
		*room = wanted;
		return 0;
	}
	memset(*slots, 0, *room * size);
	return 0;
}

static int
make_array(void *array, size_t *room, size_t count, size_t size)
{
	void **items = array, *wider;

	if (count <= *room)
		return 0;
	wider = realloc(*items, count * size);
	if (wider == NULL)
		return -1;
	*items = wider;
	*room = count;
	return 0;
}

int
group_begin(struct group *group, struct append *const *appends, size_t count)
{
	size_t streams = 0, records = 0, entries = 0, commands = 0;

	for (size_t i = 0; i < count; i++) {
		if (appends[i]->answer != APPEND_NONE)
			continue;
		streams += appends[i]->stream_count;
		records += appends[i]->record_count;
		entries += appends[i]->entry_count;
		commands += appends[i]->command_id != NULL;
	}
	arena_clear(&group->arena);
	group->row_count = group->bare_count = 0;
	group->writes = false;
	return make_table(&group->streams, &group->stream_room, streams, sizeof(*group->streams)) != 0 ||
			       make_table(&group->records, &group->record_room, records, sizeof(*group->records)) !=
				       0 ||
			       make_table(&group->commands, &group->command_room, commands, sizeof(*group->commands)) !=
				       0 ||
			       make_array(&group->rows, &group->row_room, entries, sizeof(*group->rows)) != 0 ||
			       make_array(&group->bares, &group->bare_room, commands, sizeof(*group->bares)) != 0
		       ? -1
		       : 0;
}

struct group_stream *
group_stream(struct group *group, uint64_t hash, struct slice name)
{
	size_t at = (size_t)hash & (group->stream_room - 1);

	while (group->streams[at].used &&
	       (group->streams[at].hash != hash || !slice_equal(group->streams[at].name, name)))
		at = (at + 1) & (group->stream_room - 1);
	return &group->streams[at];
}

struct group_record *
group_record(struct group *group, struct slice space, struct slice key)
{
	uint64_t hash = slice_hash(key, slice_hash(space, 0));
	size_t at = (size_t)hash & (group->record_room - 1);

	while (group->records[at].space.size != 0 &&
	       !(group->records[at].hash == hash && slice_equal(group->records[at].space, space) &&
		 slice_equal(group->records[at].key, key)))
		at = (at + 1) & (group->record_room - 1);
	group->records[at].hash = hash;
	return &group->records[at];
}

const struct append *
group_find_command(const struct group *group, uint64_t hash, const struct command_id *id)
{
	for (size_t at = (size_t)hash & (group->command_room - 1); group->commands[at].append != NULL;
	     at = (at + 1) & (group->command_room - 1))
		if (memcmp(group->commands[at].append->command_id, id, sizeof(*id)) == 0)
			return group->commands[at].append;
	return NULL;
}

void
group_add_command(struct group *group, uint64_t hash, const struct append *append)
{
	size_t at = (size_t)hash & (group->command_room - 1);

	while (group->commands[at].append != NULL)
		at = (at + 1) & (group->command_room - 1);
	group->commands[at] = (struct group_command){ hash, append };
}
