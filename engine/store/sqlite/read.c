/* SPDX-License-Identifier: MIT */
/*
 * Readers: each a read-only connection of its own with a small cache, that never checkpoints. Transactions are short,
 * whatever is asked for, so that the writer's log file can start anew.
 *
 * Every entry's digest is made again from what was read, and its seal over the rest; positions are followed without a
 * gap. Entries past the durable head are not given, although SQLite may show them a moment earlier [I4].
 * Fails: CORRUPT naming stream, version and position; MEMORY; as SQL does.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "store/sqlite/places.h"
#include "store/sqlite/room.h"

#define READER_HEADS 1024
#define READER_NAMES 32768
#define BITE         2048 /* rows a transaction */

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "the read's result does not fit its memory");
}

int
sqlite_reader_open(struct store *base, struct store_reader **opened, struct fault *fault)
{
	struct sqlite_store *store = sqlite_store_of(base);
	struct sqlite_reader *reader = calloc(1, sizeof(*reader));

	if (reader == NULL)
		return no_memory(fault);
	reader->base.store = base;
	reader->store = store;
	if (link_open(&reader->link, store->file, SQLITE_OPEN_READONLY, fault) != 0 ||
	    (store->read_only && sqlite_schema_look(&reader->link, fault) != 0) ||
	    link_exec(&reader->link,
		      "PRAGMA query_only = 1; PRAGMA mmap_size = 0; PRAGMA cache_size = "
		      "-4000;"
		      "PRAGMA temp_store = MEMORY",
		      fault) != 0 ||
	    sqlite_list_open(&reader->link, fault) != 0 || places_open(&reader->link, fault) != 0 ||
	    finder_init(&reader->finder, &store->index, &reader->link, READER_HEADS, fault) != 0) {
		sqlite_reader_close(&reader->base);
		return -1;
	}
	if (name_cache_init(&reader->names, READER_NAMES) != 0) {
		sqlite_reader_close(&reader->base);
		return no_memory(fault);
	}
	*opened = &reader->base;
	return 0;
}

void
sqlite_reader_close(struct store_reader *base)
{
	struct sqlite_reader *reader = sqlite_reader_of(base);

	finder_fini(&reader->finder);
	types_fini(&reader->types);
	name_cache_fini(&reader->names);
	free(reader->positions.items);
	link_close(&reader->link);
	free(reader);
}

static void
end_read(struct sqlite_reader *reader)
{
	if (sqlite3_get_autocommit(reader->link.db) == 0)
		link_run(&reader->link, SQL_COMMIT, NULL);
}

/* Another process's head is what its file shows. */
int
sqlite_refresh_head(struct sqlite_reader *reader, struct fault *fault)
{
	sqlite3_stmt *statement;
	int stepped;

	if (!reader->store->read_only || reader->held)
		return 0;
	statement = link_use(&reader->link, SQL_HEAD, fault);
	if (statement == NULL || (stepped = link_step(&reader->link, statement, fault)) < 0)
		return -1;
	if (stepped > 0)
		atomic_store_explicit(&reader->store->base.head, link_int(statement, 0), memory_order_release);
	sqlite3_reset(statement);
	return 0;
}

int
sqlite_hold(struct store_reader *base, log_position *head, struct fault *fault)
{
	struct sqlite_reader *reader = sqlite_reader_of(base);
	sqlite3_stmt *statement;
	int stepped = -1;

	if (link_run(&reader->link, SQL_BEGIN, fault) != 0)
		return -1;
	statement = link_use(&reader->link, SQL_HEAD, fault);
	if (statement != NULL)
		stepped = link_step(&reader->link, statement, fault);
	if (stepped < 0) {
		end_read(reader);
		return -1;
	}
	*head = stepped > 0 ? link_int(statement, 0) : 0;
	sqlite3_reset(statement);
	reader->held = true;
	reader->held_head = *head;
	return 0;
}

void
sqlite_let_go(struct store_reader *base)
{
	struct sqlite_reader *reader = sqlite_reader_of(base);

	reader->held = false;
	end_read(reader);
}

/* A type's or stream's name is copied once a read, however many entries share it. */
static int
share(struct sqlite_reader *reader, struct arena *arena, const struct row *row, struct recorded_entry *entry,
      struct fault *fault)
{
	struct name_slot *stream = name_cache_get(&reader->names, &reader->link, row->stream, fault);
	struct type *type = stream != NULL ? types_get(&reader->types, &reader->link, row->type, fault) : NULL;

	if (type == NULL)
		return fault_prefix(fault, "position %llu", (unsigned long long)row->position);
	if (stream->turn != reader->turn) {
		stream->copy = arena_copy(arena, stream->name);
		stream->turn = reader->turn;
	}
	if (type->turn != reader->turn) {
		type->name_copy = arena_copy(arena, type->name);
		type->topic_copy = arena_copy(arena, type->topic);
		type->turn = reader->turn;
	}
	if (stream->copy.data == NULL || type->name_copy.data == NULL || type->topic_copy.data == NULL) {
		stream->turn = type->turn = 0;
		return no_memory(fault);
	}
	entry->stream = stream->copy;
	entry->kind = type->kind;
	entry->type = type->name_copy;
	entry->topic = type->topic_copy;
	entry->schema_version = type->schema_version;
	entry->generation = type->generation;
	return 0;
}

static int
copy_meta(struct arena *arena, const struct row *row, struct recorded_entry *entry, struct fault *fault)
{
	struct row_meta meta;

	if (row->meta.size != 0) {
		struct slice copy = arena_copy(arena, row->meta);

		if (copy.data == NULL)
			return no_memory(fault);
		if (!row_get_meta(copy, &meta))
			return fault_set(fault, FAULT_CORRUPT, "digest_mismatch",
					 "%.*s version %llu at position %llu: its metadata cannot be read",
					 SLICE_ARG(entry->stream), (unsigned long long)entry->version,
					 (unsigned long long)entry->position);
		entry->provenance = meta.provenance;
		entry->key = meta.key;
		entry->headers = meta.headers;
	}
	entry->data = arena_copy(arena, row->data);
	return entry->data.data != NULL ? 0 : no_memory(fault);
}

/* Everything of a row, in the arena, checked. */
static int
load_entry(struct sqlite_reader *reader, struct arena *arena, const struct row *row, struct recorded_entry *entry,
	   struct fault *fault)
{
	struct check digest;

	*entry = (struct recorded_entry){ .position = row->position,
					  .commit_first = row->position - row_offset(row->part),
					  .commit_size = row_size(row->part),
					  .version = row->version,
					  .recorded_at_us = row->at,
					  .digest = row->digest,
					  .link = row->link };
	if (share(reader, arena, row, entry, fault) != 0 || copy_meta(arena, row, entry, fault) != 0)
		return -1;
	entry->id = entry_id(entry->recorded_at_us, &entry->link);
	entry_digest_recorded(entry, &digest);
	if (!check_equal(&digest, &entry->digest))
		return fault_set(fault, FAULT_CORRUPT, "digest_mismatch",
				 "%.*s version %llu at position %llu: its content does not give its digest",
				 SLICE_ARG(entry->stream), (unsigned long long)entry->version,
				 (unsigned long long)entry->position);
	return 0;
}

/* A read of a stream on its way. */
struct stream_read {
	struct sqlite_reader *reader;
	uint64_t stream;
	stream_version from;
	struct read_limit limit;
	struct arena *arena;
	struct entries *entries;
	size_t bytes;
	bool full;
};

/* The entry at which the statement stands, which is to be the next one. */
static int
add(struct stream_read *read, sqlite3_stmt *statement, struct fault *fault)
{
	struct entries *entries = read->entries;
	log_position position = read->reader->positions.items[entries->count];
	stream_version version = read->from + entries->count;
	struct row row;

	if (row_load(statement, &row, fault) != 0)
		return -1;
	if (row.position != position)
		return fault_set(fault, FAULT_CORRUPT, "position_gap", "position %llu is missing",
				 (unsigned long long)position);
	if (row.stream != read->stream || row.version != version)
		return fault_set(fault, FAULT_CORRUPT, "index_mismatch",
				 "position %llu does not hold version %llu of the stream", (unsigned long long)position,
				 (unsigned long long)version);
	read->full = read->limit.bytes != 0 && entries->count != 0 && read->bytes + row.data.size > read->limit.bytes;
	if (read->full)
		return 0;
	read->bytes += row.data.size;
	if (load_entry(read->reader, read->arena, &row, &entries->items[entries->count], fault) != 0)
		return -1;
	entries->count++;
	return 0;
}

/* All that the positions name, by one statement. */
static int
add_all(struct stream_read *read, struct fault *fault)
{
	struct positions *positions = &read->reader->positions;
	struct link *link = &read->reader->link;
	sqlite3_stmt *statement = link_use(link, SQL_ENTRIES_AT, fault);
	int result = 0;

	if (statement == NULL)
		return -1;
	places_bind(statement, 1, positions);
	while (result == 0 && !read->full && read->entries->count < positions->count) {
		log_position position = positions->items[read->entries->count];
		int stepped = link_step(link, statement, fault);

		if (stepped > 0)
			result = add(read, statement, fault);
		else if (stepped < 0)
			result = fault_prefix(fault, "position %llu", (unsigned long long)position);
		else
			result = fault_set(fault, FAULT_CORRUPT, "position_gap", "position %llu is missing",
					   (unsigned long long)position);
	}
	sqlite3_reset(statement);
	return result;
}

int
sqlite_read_stream(struct store_reader *base, struct slice name, stream_version from, struct read_limit limit,
		   struct arena *arena, struct entries *entries, stream_version *version, struct fault *fault)
{
	struct sqlite_reader *reader = sqlite_reader_of(base);
	struct positions *positions = &reader->positions;
	struct stream_read read = { reader, 0, from, limit, arena, entries, 0, false };
	int result;

	reader->turn++;
	if (find_stream(&reader->finder, name, &read.stream, fault) != 0)
		return -1;
	if (read.stream == 0)
		return 0;
	result = find_positions(&reader->finder, read.stream, from, limit.entries, positions, version, fault);
	if (result == 0 && positions->count != 0) {
		entries->items = arena_alloc(arena, positions->count * sizeof(*entries->items));
		result = entries->items == NULL ? no_memory(fault) : add_all(&read, fault);
	}
	end_read(reader);
	return result;
}

int
sqlite_check_content(struct sqlite_reader *reader, const struct row *row, struct slice name, struct fault *fault)
{
	const struct type *type = types_get(&reader->types, &reader->link, row->type, fault);
	struct recorded_entry entry = { .stream = name, .data = row->data };
	struct row_meta meta;
	struct check digest;

	if (type == NULL)
		return -1;
	if (!row_get_meta(row->meta, &meta))
		return fault_set(fault, FAULT_CORRUPT, "digest_mismatch", "its metadata cannot be read");
	entry.kind = type->kind;
	entry.type = type->name;
	entry.topic = type->topic;
	entry.schema_version = type->schema_version;
	entry.generation = type->generation;
	entry.provenance = meta.provenance;
	entry.key = meta.key;
	entry.headers = meta.headers;
	entry_digest_recorded(&entry, &digest);
	return check_equal(&digest, &row->digest)
		       ? 0
		       : fault_set(fault, FAULT_CORRUPT, "digest_mismatch", "its content does not give its digest");
}

/* A log read on its way. */
struct log_read {
	struct sqlite_reader *reader;
	const struct log_filter *filter;
	struct read_limit limit;
	struct arena *arena;
	struct entries *entries;
	size_t room;
	size_t bytes;
	log_position head;
	log_position seen;
	bool full;
	bool unpublished; /* the present row was left out for its type */
};

/* Not given because of its type, which only the digest covers. */
static int
check_unpublished(struct sqlite_reader *reader, sqlite3_stmt *statement, struct row *row, struct fault *fault)
{
	const struct name_slot *slot = name_cache_get(&reader->names, &reader->link, row->stream, fault);

	if (slot == NULL || row_load_rest(statement, row, fault) != 0)
		return -1;
	if (sqlite_check_content(reader, row, slot->name, fault) == 0)
		return 0;
	return fault_prefix(fault, "%.*s version %llu at position %llu", SLICE_ARG(slot->name),
			    (unsigned long long)row->version, (unsigned long long)row->position);
}

static int
matches(struct log_read *read, const struct row *row, bool *match, struct fault *fault)
{
	const struct log_filter *filter = read->filter;
	struct sqlite_reader *reader = read->reader;
	struct slice domain = filter->domain;

	*match = true;
	read->unpublished = false;
	/* By the version, which the seal covers, and not by the type, which only the digest does. */
	if (filter->events_only && row->version == 0)
		*match = false;
	if (*match && filter->published_only) {
		const struct type *type = types_get(&reader->types, &reader->link, row->type, fault);

		if (type == NULL)
			return -1;
		read->unpublished = type->topic.size == 0;
		*match = !read->unpublished;
	}
	if (*match && (domain.size != 0 || filter->stream_prefix.size != 0)) {
		const struct name_slot *slot = name_cache_get(&reader->names, &reader->link, row->stream, fault);

		if (slot == NULL)
			return -1;
		if (domain.size != 0 && !(slot->name.size > domain.size && slot->name.data[domain.size] == '.' &&
					  slice_starts_with(slot->name, domain)))
			*match = false;
		if (filter->stream_prefix.size != 0 && !slice_starts_with(slot->name, filter->stream_prefix))
			*match = false;
	}
	return 0;
}

/* The array is made once in the common case: copying it as it grows would cost as much as filling it. */
static int
widen(struct log_read *read, struct fault *fault)
{
	size_t room = read->room != 0 ? read->room * 2 : 512;
	struct recorded_entry *items;

	if (read->entries->count < read->room)
		return 0;
	if (room > read->limit.entries)
		room = read->limit.entries;
	if (room > read->entries->count + (read->head - read->seen))
		room = read->entries->count + (size_t)(read->head - read->seen);
	items = arena_alloc(read->arena, room * sizeof(*items));
	if (items == NULL)
		return no_memory(fault);
	if (read->entries->count != 0)
		memcpy(items, read->entries->items, read->entries->count * sizeof(*items));
	read->entries->items = items;
	read->room = room;
	return 0;
}

static int
take_row(struct log_read *read, sqlite3_stmt *statement, struct fault *fault)
{
	struct entries *entries = read->entries;
	struct row row;
	bool match;

	if (row_load_head(statement, &row, fault) != 0)
		return -1;
	if (row.position != read->seen + 1)
		return fault_set(fault, FAULT_CORRUPT, "position_gap", "position %llu is missing",
				 (unsigned long long)read->seen + 1);
	if (matches(read, &row, &match, fault) != 0)
		return -1;
	if (read->unpublished && check_unpublished(read->reader, statement, &row, fault) != 0)
		return -1;
	if (match) {
		if (row_load_rest(statement, &row, fault) != 0)
			return -1;
		read->full = entries->count == read->limit.entries || (read->limit.bytes != 0 && entries->count != 0 &&
								       read->bytes + row.data.size > read->limit.bytes);
		if (read->full)
			return 0;
		if (widen(read, fault) != 0 ||
		    load_entry(read->reader, read->arena, &row, &entries->items[entries->count], fault) != 0)
			return -1;
		read->bytes += row.data.size;
		entries->count++;
	}
	read->seen = row.position;
	return 0;
}

/* A short transaction's worth of rows after `seen`. */
static int
take_bite(struct log_read *read, struct fault *fault)
{
	struct link *link = &read->reader->link;
	sqlite3_stmt *statement = link_use(link, SQL_ENTRIES_AFTER, fault);
	log_position end = read->head - read->seen > BITE ? read->seen + BITE : read->head;
	int stepped = 1;

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, read->seen);
	while (!read->full && read->seen < end) {
		stepped = link_step(link, statement, fault);
		if (stepped <= 0)
			break;
		stepped = take_row(read, statement, fault);
		if (stepped < 0)
			break;
	}
	sqlite3_reset(statement);
	if (stepped < 0)
		return fault_prefix(fault, "after position %llu", (unsigned long long)read->seen);
	if (stepped == 0 && !read->full && read->seen < end)
		return fault_set(fault, FAULT_CORRUPT, "position_gap", "position %llu is missing",
				 (unsigned long long)read->seen + 1);
	return 0;
}

int
sqlite_read_log(struct store_reader *base, log_position after, const struct log_filter *filter, struct read_limit limit,
		struct arena *arena, struct entries *entries, log_position *seen, struct fault *fault)
{
	struct log_read read = { .reader = sqlite_reader_of(base),
				 .filter = filter,
				 .limit = limit,
				 .arena = arena,
				 .entries = entries,
				 .seen = after };

	if (sqlite_refresh_head(read.reader, fault) != 0)
		return -1;
	read.reader->turn++;
	read.head = read.reader->held ? read.reader->held_head : store_head(base->store);
	if (filter != NULL && filter->until != 0 && filter->until < read.head)
		read.head = filter->until;
	while (!read.full && read.seen < read.head && entries->count < limit.entries)
		if (take_bite(&read, fault) != 0)
			return -1;
	*seen = read.seen;
	return 0;
}

int
sqlite_position_at(struct store_reader *base, int64_t wall_us, log_position *position, struct fault *fault)
{
	struct sqlite_reader *reader = sqlite_reader_of(base);
	log_position low = 0, high;

	if (sqlite_refresh_head(reader, fault) != 0)
		return -1;
	high = store_head(base->store);
	while (low < high) {
		log_position middle = low + (high - low + 1) / 2;
		sqlite3_stmt *statement = link_use(&reader->link, SQL_NARROW_AT, fault);
		struct row row;
		int stepped;

		if (statement == NULL)
			return -1;
		link_bind_int(statement, 1, middle);
		stepped = link_step(&reader->link, statement, fault);
		if (stepped == 0)
			return fault_set(fault, FAULT_CORRUPT, "position_gap", "position %llu is missing",
					 (unsigned long long)middle);
		if (stepped > 0 && row_load_narrow(statement, &row, fault) != 0)
			stepped = -1;
		if (stepped > 0 && row.at <= wall_us)
			low = middle;
		else
			high = middle - 1;
		sqlite3_reset(statement);
		if (stepped < 0)
			return -1;
	}
	*position = low;
	return 0;
}

int
sqlite_find_command(struct store_reader *base, const struct command_id *id, const struct fingerprint *fingerprint,
		    struct arena *arena, struct remembered *remembered, struct fault *fault)
{
	struct found_command found;

	if (find_command(&sqlite_reader_of(base)->finder, id, arena, &found, fault) != 0)
		return -1;
	*remembered = (struct remembered){ found.found, false, found.first, found.last, found.reply };
	remembered->same = found.found &&
			   (fingerprint == NULL || memcmp(fingerprint, &found.fingerprint, sizeof(*fingerprint)) == 0);
	return 0;
}
