/* SPDX-License-Identifier: MIT */
/*
 * The order of the questions is the contract's: command id, then streams, then records. What earlier appends of the
 * group decided lies in the group's tables; what is older comes through the finder. Only when all hold are rows made.
 * Fails: MEMORY, CORRUPT, as SQL does.
 */
#include "store/sqlite/decide.h"

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a commit");
}

/* Answers APPEND_REPEATED or APPEND_MISMATCH, or leaves the append as it is. */
static int
decide_command(struct sqlite_store *store, struct append *append, uint64_t hash, struct fault *fault)
{
	const struct append *earlier = group_find_command(&store->group, hash, append->command_id);
	struct found_command found;

	if (earlier != NULL) {
		found = (struct found_command){
			true,          earlier->fingerprint,    earlier->first,
			earlier->last, earlier->recorded_at_us, arena_copy(append->arena, earlier->reply)
		};
		if (found.reply.data == NULL)
			return no_memory(fault);
	} else if (find_command(&store->finder, append->command_id, append->arena, &found, fault) != 0) {
		return -1;
	}
	if (!found.found)
		return 0;
	if (memcmp(&found.fingerprint, &append->fingerprint, sizeof(found.fingerprint)) != 0) {
		append->answer = APPEND_MISMATCH;
		return 0;
	}
	append->answer = APPEND_REPEATED;
	append->first = found.first;
	append->last = found.last;
	append->recorded_at_us = found.at;
	append->repeated_reply = found.reply;
	return 0;
}

/* The stream as this group sees it. */
static int
know_stream(struct sqlite_store *store, struct slice name, struct group_stream **slot, struct fault *fault)
{
	uint64_t hash = index_hash_name(&store->index, name);
	struct group_stream *stream = group_stream(&store->group, hash, name);
	struct head *head;

	*slot = stream;
	if (stream->used)
		return 0;
	*stream = (struct group_stream){ .hash = hash, .name = name };
	head = heads_get(&store->finder.heads, hash, name);
	if (head != NULL && head->version_known) {
		stream->id = head->id;
		stream->version = head->version;
	} else {
		if (find_stream(&store->finder, name, &stream->id, fault) != 0)
			return -1;
		if (stream->id != 0 && find_version(&store->finder, stream->id, &stream->version, fault) != 0)
			return -1;
		if (stream->id != 0)
			heads_put(&store->finder.heads, hash, stream->id, name, true, stream->version);
	}
	stream->used = true;
	return 0;
}

static int
decide_streams(struct sqlite_store *store, struct append *append, struct group_stream **streams, struct fault *fault)
{
	append->versions = arena_alloc(append->arena, (append->stream_count + 1) * sizeof(stream_version));
	if (append->versions == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < append->stream_count; i++) {
		if (know_stream(store, append->streams[i].name, &streams[i], fault) != 0)
			return -1;
		append->versions[i] = streams[i]->version;
	}
	for (size_t i = 0; i < append->stream_count; i++)
		if (!expected_holds(append->streams[i].expected, append->versions[i])) {
			append->answer = APPEND_CONFLICT;
			append->conflict_stream = i;
			append->actual = append->versions[i];
			return 0;
		}
	return 0;
}

/* What an earlier write of this append or group left, or what is stored. */
static int
record_before(struct sqlite_store *store, const struct append *append, size_t index, struct slice *value, bool *present,
	      struct fault *fault)
{
	const struct record_write *write = &append->records[index];
	const struct group_record *pending;

	for (size_t i = index; i-- > 0;) {
		const struct record_write *earlier = &append->records[i];

		if (slice_equal(earlier->key, write->key) && slice_equal(earlier->space, write->space)) {
			*value = earlier->value;
			*present = earlier->rule < RECORD_REMOVE;
			return 0;
		}
	}
	pending = group_record(&store->group, write->space, write->key);
	if (pending->space.size != 0) {
		*value = pending->value;
		*present = pending->present;
		return 0;
	}
	return sqlite_get_record(&store->link, write->space, write->key, &store->group.arena, value, present, fault);
}

static int
decide_records(struct sqlite_store *store, struct append *append, struct fault *fault)
{
	for (size_t i = 0; i < append->record_count; i++) {
		const struct record_write *write = &append->records[i];
		struct slice value;
		bool present, equal;

		if (write->rule == RECORD_PUT || write->rule == RECORD_REMOVE)
			continue;
		if (record_before(store, append, i, &value, &present, fault) != 0)
			return -1;
		equal = present && slice_equal(value, write->before);
		if (write->rule == RECORD_ABSENT ? present : !equal) {
			append->answer = APPEND_RECORD_CONFLICT;
			append->conflict_record = i;
			return 0;
		}
	}
	return 0;
}

static uint64_t
type_of(struct sqlite_store *store, const struct new_entry *entry, uint32_t generation)
{
	uint64_t id = types_find(&store->types, entry, generation);

	return id != 0 ? id : types_add(&store->types, entry, generation);
}

static int
make_row(struct sqlite_store *store, const struct append *append, size_t index, struct group_stream *stream,
	 struct log_end *end, struct group_row *made, struct fault *fault)
{
	const struct new_entry *entry = &append->entries[index];
	const struct row_meta meta = { append->provenance, entry->key, entry->headers };
	struct buf bytes;

	*made = (struct group_row){ .head = stream->version };
	if (stream->id == 0) {
		stream->id = ++end->last_stream;
		stream->born = true;
		made->born = stream->name;
	}
	if (entry->kind == ENTRY_EVENT)
		stream->version++;
	made->row = (struct row){ .position = ++end->head,
				  .stream = stream->id,
				  .version = entry->kind == ENTRY_EVENT ? stream->version : 0,
				  .type = type_of(store, entry, append->generation),
				  .at = end->time,
				  .part = row_part((uint32_t)append->entry_count, (uint32_t)index),
				  .digest = entry->digest,
				  .data = entry->data };
	if (entry->kind == ENTRY_EVENT) {
		made->known = catalogue_note(&store->catalogue, stream->name, entry->type, entry->schema_version,
					     made->row.position);
		if (made->known == 0)
			return no_memory(fault);
	}
	entry_link(&end->link, &entry->digest, made->row.position, made->row.version, append->first,
		   (uint32_t)append->entry_count, end->time, &made->row.link);
	end->link = made->row.link;
	buf_init(&bytes, SIZE_MAX);
	row_put_meta(&bytes, &meta);
	if (bytes.size != 0)
		made->row.meta = arena_copy(&store->group.arena, buf_slice(&bytes));
	bool lost = bytes.failed || (bytes.size != 0 && made->row.meta.data == NULL);
	buf_fini(&bytes);
	return lost || made->row.type == 0 ? no_memory(fault) : 0;
}

static int
make_command(struct sqlite_store *store, const struct append *append, struct slice *command, struct fault *fault)
{
	char *bytes;

	if (append->command_id == NULL)
		return 0;
	bytes = arena_alloc(&store->group.arena, COMMAND_HEAD + append->reply.size);
	if (bytes == NULL)
		return no_memory(fault);
	memcpy(bytes, append->command_id->bytes, sizeof(struct command_id));
	memcpy(bytes + sizeof(struct command_id), append->fingerprint.bytes, sizeof(struct fingerprint));
	if (append->reply.size != 0)
		memcpy(bytes + COMMAND_HEAD, append->reply.data, append->reply.size);
	*command = slice_from(bytes, COMMAND_HEAD + append->reply.size);
	return 0;
}

static void
apply_records(struct group *group, const struct append *append)
{
	for (size_t i = 0; i < append->record_count; i++) {
		const struct record_write *write = &append->records[i];
		struct group_record *record = group_record(group, write->space, write->key);

		record->space = write->space;
		record->key = write->key;
		record->value = write->value;
		record->present = write->rule < RECORD_REMOVE;
	}
}

static int
apply(struct sqlite_store *store, struct append *append, struct group_stream **streams, struct log_end *end,
      struct fault *fault)
{
	struct group *group = &store->group;
	struct slice command = SLICE_NONE;

	if (make_command(store, append, &command, fault) != 0)
		return -1;
	append->recorded_at_us = append->at_us != 0 ? append->at_us : end->now;
	if (append->recorded_at_us < end->time)
		append->recorded_at_us = end->time;
	if (append->entry_count != 0 || append->command_id != NULL)
		end->time = append->recorded_at_us;
	if (append->entry_count != 0)
		append->first = end->head + 1;
	for (size_t i = 0; i < append->entry_count; i++) {
		struct group_row *made = &group->rows[group->row_count];

		if (make_row(store, append, i, streams[append->entries[i].stream], end, made, fault) != 0)
			return -1;
		if (i == 0)
			made->row.command = command;
		made->row.seal = row_seal(&made->row);
		group->row_count++;
	}
	if (append->entry_count != 0) {
		append->last = end->head;
		append->last_link = end->link;
	} else if (append->command_id != NULL) {
		group->bares[group->bare_count++] =
			(struct group_bare){ ++end->last_bare, *append->command_id, command };
	}
	apply_records(group, append);
	for (size_t i = 0; i < append->stream_count; i++)
		append->versions[i] = streams[i]->version;
	group->writes = group->writes || append->entry_count != 0 || append->record_count != 0 || command.size != 0;
	append->answer = APPEND_DONE;
	return 0;
}

int
sqlite_decide(struct sqlite_store *store, struct append *append, struct log_end *end, struct fault *fault)
{
	uint64_t hash = append->command_id != NULL ? index_hash_command(&store->index, append->command_id) : 0;
	struct group_stream **streams;

	if (append->command_id != NULL && decide_command(store, append, hash, fault) != 0)
		return -1;
	if (append->answer != APPEND_NONE)
		return 0;
	streams = arena_alloc(&store->group.arena, (append->stream_count + 1) * sizeof(struct group_stream *));
	if (streams == NULL)
		return no_memory(fault);
	if (decide_streams(store, append, streams, fault) != 0)
		return -1;
	if (append->answer == APPEND_NONE && decide_records(store, append, fault) != 0)
		return -1;
	if (append->answer != APPEND_NONE)
		return 0;
	if (apply(store, append, streams, end, fault) != 0)
		return -1;
	if (append->command_id != NULL)
		group_add_command(&store->group, hash, append);
	return 0;
}
