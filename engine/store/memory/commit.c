/* SPDX-License-Identifier: MIT */
/*
 * Committing to memory: an append is compared with what is there, then everything it needs is taken, and only then is
 * it applied, in steps that cannot fail [I3]. A group is its appends one after the other.
 * Fails: an append for which there is no memory is APPEND_FAILED, alone.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "store/memory/room.h"

struct slice
memory_record_name(struct arena *arena, struct slice space, struct slice key)
{
	char *name = arena_alloc(arena, 1 + space.size + key.size);

	if (name == NULL)
		return SLICE_NONE;
	must(space.size <= STORE_SPACE_MAX && STORE_SPACE_MAX < 256);
	name[0] = (char)(unsigned char)space.size;
	memcpy(name + 1, space.data, space.size);
	memcpy(name + 1 + space.size, key.data, key.size);
	return slice_from(name, 1 + space.size + key.size);
}

static struct memory_stream *
stream_of(const struct memory_store *memory, struct slice name)
{
	return memory_table_get(&memory->streams, name);
}

static stream_version
version_of(const struct memory_store *memory, struct slice name)
{
	const struct memory_stream *stream = stream_of(memory, name);

	return stream != NULL ? stream->version : 0;
}

static void
refuse(struct append *append)
{
	append->answer = APPEND_FAILED;
	fault_set(&append->fault, FAULT_MEMORY, "memory", "no memory for the answer of an append");
}

static bool
is_repeated(const struct memory_store *memory, struct append *append)
{
	const struct memory_command *command;

	if (append->command_id == NULL)
		return false;
	command = memory_table_get(&memory->commands, slice_from(append->command_id->bytes, 16));
	if (command == NULL)
		return false;
	if (memcmp(&command->fingerprint, &append->fingerprint, sizeof(append->fingerprint)) != 0) {
		append->answer = APPEND_MISMATCH;
		return true;
	}
	append->repeated_reply = arena_copy(append->arena, command->reply);
	if (append->repeated_reply.data == NULL) {
		refuse(append);
		return true;
	}
	append->answer = APPEND_REPEATED;
	append->first = command->first;
	append->last = command->last;
	if (command->first != 0)
		append->recorded_at_us = memory->log[command->first - 1].recorded_at_us;
	return true;
}

/* What an earlier write of the same append left, or what is stored. */
static bool
record_before(struct memory_store *memory, const struct append *append, size_t index, struct slice *value)
{
	const struct record_write *write = &append->records[index];
	struct arena_mark mark = arena_mark(append->arena);
	const struct memory_record *record;

	for (size_t i = index; i-- > 0;) {
		const struct record_write *earlier = &append->records[i];

		if (slice_equal(earlier->space, write->space) && slice_equal(earlier->key, write->key)) {
			*value = earlier->value;
			return earlier->rule < RECORD_REMOVE;
		}
	}
	record = memory_table_get(&memory->records, memory_record_name(append->arena, write->space, write->key));
	arena_reset(append->arena, mark);
	*value = record != NULL && record->present ? record->value : SLICE_NONE;
	return record != NULL && record->present;
}

static bool
conflicts(struct memory_store *memory, struct append *append)
{
	for (size_t i = 0; i < append->stream_count; i++)
		append->versions[i] = version_of(memory, append->streams[i].name);
	for (size_t i = 0; i < append->stream_count; i++)
		if (!expected_holds(append->streams[i].expected, append->versions[i])) {
			append->answer = APPEND_CONFLICT;
			append->conflict_stream = i;
			append->actual = append->versions[i];
			return true;
		}
	for (size_t i = 0; i < append->record_count; i++) {
		enum record_rule rule = append->records[i].rule;
		struct slice value;
		bool present = record_before(memory, append, i, &value);
		bool equal = present && slice_equal(value, append->records[i].before);

		if ((rule == RECORD_ABSENT && present) ||
		    ((rule == RECORD_EQUALS || rule == RECORD_REMOVE_EQUALS) && !equal)) {
			append->answer = APPEND_RECORD_CONFLICT;
			append->conflict_record = i;
			return true;
		}
	}
	return false;
}

static int
make_room(struct memory_store *memory, const struct append *append)
{
	size_t room = memory->log_room != 0 ? memory->log_room : 256;

	while (room < memory->log_count + append->entry_count)
		room *= 2;
	if (room != memory->log_room) {
		struct recorded_entry *log = realloc(memory->log, room * sizeof(*log));

		if (log == NULL)
			return -1;
		memory->log = log;
		memory->log_room = room;
	}
	if (memory_table_reserve(&memory->streams, append->stream_count) != 0 ||
	    memory_table_reserve(&memory->records, append->record_count) != 0)
		return -1;
	return memory_table_reserve(&memory->commands, 1);
}

static struct memory_stream *
take_stream(struct memory_store *memory, struct slice name, size_t more)
{
	struct memory_stream *stream = stream_of(memory, name);
	size_t room = 4;

	if (stream == NULL) {
		stream = arena_zero(&memory->arena, 1, sizeof(*stream));
		if (stream == NULL || (stream->name = arena_copy(&memory->arena, name)).data == NULL)
			return NULL;
		memory_table_put(&memory->streams, stream->name, stream);
	}
	while (room < stream->version + more)
		room *= 2;
	if (room > stream->room) {
		log_position *positions = realloc(stream->positions, room * sizeof(*positions));

		if (positions == NULL)
			return NULL;
		stream->positions = positions;
		stream->room = room;
	}
	return stream;
}

static int
copy_slices(struct arena *arena, struct slice *slices, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slices[i].size != 0 && (slices[i] = arena_copy(arena, slices[i])).data == NULL)
			return -1;
	return 0;
}

/* Everything an append needs, taken before anything changes. */
struct prepared {
	struct memory_stream **streams;
	struct recorded_entry *entries;
	struct memory_record **records;
	struct slice *values;
	struct memory_command *command;
};

static int
prepare_entries(struct memory_store *memory, const struct append *append, struct prepared *prepared)
{
	struct arena *arena = &memory->arena;

	prepared->streams = arena_zero(arena, append->stream_count + 1, sizeof(struct memory_stream *));
	prepared->entries = arena_zero(arena, append->entry_count + 1, sizeof(struct recorded_entry));
	if (prepared->streams == NULL || prepared->entries == NULL)
		return -1;
	for (size_t i = 0; i < append->entry_count; i++) {
		const struct new_entry *from = &append->entries[i];
		struct recorded_entry *to = &prepared->entries[i];
		struct memory_stream **stream = &prepared->streams[from->stream];

		if (*stream == NULL &&
		    (*stream = take_stream(memory, append->streams[from->stream].name, append->entry_count)) == NULL)
			return -1;
		struct slice copies[] = { from->type,
					  from->data,
					  from->topic,
					  from->key,
					  from->headers,
					  append->provenance.correlation_id,
					  append->provenance.causation_id,
					  append->provenance.traceparent,
					  append->provenance.actor };
		if (copy_slices(arena, copies, countof(copies)) != 0)
			return -1;
		*to = (struct recorded_entry){ .kind = from->kind,
					       .stream = (*stream)->name,
					       .type = copies[0],
					       .schema_version = from->schema_version,
					       .generation = append->generation,
					       .provenance = { copies[5], copies[6], copies[7], copies[8] },
					       .data = copies[1],
					       .topic = copies[2],
					       .key = copies[3],
					       .headers = copies[4],
					       .digest = from->digest };
	}
	return 0;
}

static int
prepare_records(struct memory_store *memory, const struct append *append, struct prepared *prepared)
{
	struct arena *arena = &memory->arena;

	prepared->records = arena_zero(arena, append->record_count + 1, sizeof(struct memory_record *));
	prepared->values = arena_zero(arena, append->record_count + 1, sizeof(struct slice));
	if (prepared->records == NULL || prepared->values == NULL)
		return -1;
	for (size_t i = 0; i < append->record_count; i++) {
		const struct record_write *write = &append->records[i];
		struct slice name = memory_record_name(arena, write->space, write->key);
		struct memory_record *record;

		if (name.data == NULL)
			return -1;
		record = memory_table_get(&memory->records, name);
		if (record == NULL) {
			struct slice copies[] = { write->space, write->key };

			record = arena_zero(arena, 1, sizeof(*record));
			if (record == NULL || copy_slices(arena, copies, 2) != 0)
				return -1;
			record->space = copies[0];
			record->key = copies[1];
			memory_table_put(&memory->records, name, record);
		}
		prepared->records[i] = record;
		prepared->values[i] = write->value;
		if (copy_slices(arena, &prepared->values[i], 1) != 0)
			return -1;
	}
	return 0;
}

static int
prepare(struct memory_store *memory, const struct append *append, struct prepared *prepared)
{
	*prepared = (struct prepared){ 0 };
	if (make_room(memory, append) != 0 || prepare_entries(memory, append, prepared) != 0 ||
	    prepare_records(memory, append, prepared) != 0)
		return -1;
	if (append->command_id != NULL) {
		prepared->command = arena_zero(&memory->arena, 1, sizeof(*prepared->command));
		if (prepared->command == NULL)
			return -1;
		prepared->command->id = *append->command_id;
		prepared->command->fingerprint = append->fingerprint;
		prepared->command->reply = append->reply;
		if (copy_slices(&memory->arena, &prepared->command->reply, 1) != 0)
			return -1;
	}
	return 0;
}

static void
apply(struct memory_store *memory, struct append *append, const struct prepared *prepared, int64_t now)
{
	log_position first = memory->log_count + 1;
	struct check before = { { 0 } };

	append->recorded_at_us = append->at_us != 0 ? append->at_us : now;
	if (append->recorded_at_us < memory->last_time)
		append->recorded_at_us = memory->last_time;
	if (append->entry_count != 0 || append->command_id != NULL)
		memory->last_time = append->recorded_at_us;
	if (memory->log_count != 0)
		before = memory->log[memory->log_count - 1].link;
	for (size_t i = 0; i < append->entry_count; i++) {
		struct recorded_entry *entry = &prepared->entries[i];
		struct memory_stream *stream = prepared->streams[append->entries[i].stream];

		entry->position = first + i;
		entry->commit_first = first;
		entry->commit_size = (uint32_t)append->entry_count;
		entry->recorded_at_us = append->recorded_at_us;
		if (entry->kind == ENTRY_EVENT) {
			entry->version = ++stream->version;
			stream->positions[entry->version - 1] = entry->position;
		}
		entry_link(&before, &entry->digest, entry->position, entry->version, first, entry->commit_size,
			   entry->recorded_at_us, &entry->link);
		entry->id = entry_id(entry->recorded_at_us, &entry->link);
		before = entry->link;
		memory->log[memory->log_count++] = *entry;
	}
	for (size_t i = 0; i < append->record_count; i++) {
		prepared->records[i]->present = append->records[i].rule < RECORD_REMOVE;
		prepared->records[i]->value = prepared->values[i];
	}
	for (size_t i = 0; i < append->stream_count; i++)
		append->versions[i] = version_of(memory, append->streams[i].name);
	append->answer = APPEND_DONE;
	if (append->entry_count != 0) {
		append->first = first;
		append->last = memory->log_count;
		append->last_link = before;
	}
	if (prepared->command != NULL) {
		prepared->command->first = append->first;
		prepared->command->last = append->last;
		memory_table_put(&memory->commands, slice_from(prepared->command->id.bytes, 16), prepared->command);
	}
}

static void
commit_one(struct memory_store *memory, struct append *append, int64_t now)
{
	struct prepared prepared;

	append->versions = arena_zero(append->arena, append->stream_count + 1, sizeof(stream_version));
	if (append->versions == NULL) {
		refuse(append);
		return;
	}
	if (is_repeated(memory, append) || conflicts(memory, append))
		return;
	if (prepare(memory, append, &prepared) != 0) {
		append->answer = APPEND_FAILED;
		fault_set(&append->fault, FAULT_MEMORY, "memory", "no memory for %zu entries", append->entry_count);
		return;
	}
	apply(memory, append, &prepared, now);
}

enum commit_result
memory_commit(struct store *store, struct append **appends, size_t count, struct fault *fault)
{
	struct memory_store *memory = container_of(store, struct memory_store, base);
	int64_t now = clock_wall_us(memory->clock);

	(void)fault;
	pthread_mutex_lock(&memory->lock);
	for (size_t i = 0; i < count; i++)
		if (appends[i]->answer == APPEND_NONE)
			commit_one(memory, appends[i], now);
	memory->stats.commits++;
	memory->stats.head = memory->stats.indexed_to = memory->log_count;
	memory->stats.remembered_ids = memory->commands.count;
	atomic_store_explicit(&store->head, memory->log_count, memory_order_release);
	pthread_mutex_unlock(&memory->lock);
	return COMMIT_DONE;
}
