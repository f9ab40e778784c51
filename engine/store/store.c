/* SPDX-License-Identifier: MIT */
/*
 * The store's door: looks at every argument before a room sees it, so that rooms trust what they are given.
 *
 * How: one checked call an operation, then the room's vtable. In a group the appends that are badly formed are answered
 * APPEND_FAILED here; rooms pass over every append that already has an answer.
 * Fails: INPUT for wrong arguments, LIMIT for sizes; what the room reports otherwise.
 */
#include "store/store.h"

#include <stdatomic.h>

static int
check_size(struct slice text, size_t least, size_t most, const char *what, struct fault *fault)
{
	if (text.size != 0 && text.data == NULL)
		return fault_set(fault, FAULT_INPUT, "bad_append", "%s has a size but no bytes", what);
	if (text.size < least)
		return fault_set(fault, FAULT_INPUT, "bad_append", "%s is missing", what);
	if (text.size > most)
		return fault_set(fault, FAULT_LIMIT, "too_large", "%s has %zu bytes; at most %zu are allowed", what,
				 text.size, most);
	return 0;
}

static int
check_entry(const struct append *append, size_t index, struct fault *fault)
{
	const struct new_entry *entry = &append->entries[index];

	if (entry->kind < ENTRY_EVENT || entry->kind > ENTRY_TIMER)
		return fault_set(fault, FAULT_INPUT, "bad_append", "unknown kind %d", (int)entry->kind);
	if (entry->stream >= append->stream_count)
		return fault_set(fault, FAULT_INPUT, "bad_append", "names stream %u of %zu", entry->stream,
				 append->stream_count);
	if (entry->schema_version == 0)
		return fault_set(fault, FAULT_INPUT, "bad_append", "schema versions begin at 1");
	if (entry->kind == ENTRY_MESSAGE && entry->topic.size == 0)
		return fault_set(fault, FAULT_INPUT, "bad_append", "a message needs a topic");
	if (check_size(entry->type, 1, ENTRY_TYPE_MAX, "the type", fault) != 0 ||
	    check_size(entry->data, 0, ENTRY_DATA_MAX, "the data", fault) != 0 ||
	    check_size(entry->topic, 0, STORE_TOPIC_MAX, "the topic", fault) != 0 ||
	    check_size(entry->key, 0, STORE_KEY_MAX, "the key", fault) != 0 ||
	    check_size(entry->headers, 0, STORE_HEADERS_MAX, "the headers", fault) != 0)
		return -1;
#ifndef __OPTIMIZE__
	/* Costs as much as all else the committer does for an entry, so only builds for debugging look. */
	struct check digest;
	entry_digest(entry, append->streams[entry->stream].name, append->generation, &append->provenance, &digest);
	must(check_equal(&digest, &entry->digest));
#endif
	return 0;
}

static int
check_streams(const struct append *append, struct fault *fault)
{
	struct stream_name name;

	if (append->stream_count > APPEND_ENTRY_MAX)
		return fault_set(fault, FAULT_LIMIT, "too_many_streams", "%zu streams; at most %d are allowed",
				 append->stream_count, APPEND_ENTRY_MAX);
	for (size_t i = 0; i < append->stream_count; i++) {
		if (stream_parse(append->streams[i].name, &name, fault) != 0)
			return -1;
		for (size_t j = 0; j < i; j++)
			if (slice_equal(append->streams[i].name, append->streams[j].name))
				return fault_set(fault, FAULT_INPUT, "bad_append", "stream %.*s is named twice",
						 SLICE_ARG(append->streams[i].name));
	}
	return 0;
}

static int
check_record(const struct record_write *record, struct fault *fault)
{
	if (record->rule < RECORD_PUT || record->rule > RECORD_REMOVE_EQUALS)
		return fault_set(fault, FAULT_INPUT, "bad_append", "unknown record rule %d", (int)record->rule);
	if (check_size(record->space, 1, STORE_SPACE_MAX, "the record's space", fault) != 0 ||
	    check_size(record->key, 1, STORE_KEY_MAX, "the record's key", fault) != 0 ||
	    check_size(record->value, 0, STORE_VALUE_MAX, "the record's value", fault) != 0 ||
	    check_size(record->before, 0, STORE_VALUE_MAX, "the record's value before", fault) != 0)
		return -1;
	return 0;
}

static int
check_append(const struct store *store, const struct append *append, struct fault *fault)
{
	if (append->arena == NULL)
		return fault_set(fault, FAULT_INPUT, "bad_append", "no arena for the answer");
	if (append->at_us < 0)
		return fault_set(fault, FAULT_INPUT, "bad_append", "a time before 1970");
	if (append->entry_count > APPEND_ENTRY_MAX)
		return fault_set(fault, FAULT_LIMIT, "too_many_entries", "%zu entries; at most %d are allowed",
				 append->entry_count, APPEND_ENTRY_MAX);
	if (append->record_count > STORE_RECORDS_MAX)
		return fault_set(fault, FAULT_LIMIT, "too_many_records", "%zu records; at most %d are allowed",
				 append->record_count, STORE_RECORDS_MAX);
	if (check_streams(append, fault) != 0)
		return -1;
	for (size_t i = 0; i < append->entry_count; i++) {
		if (check_entry(append, i, fault) != 0)
			return fault_prefix(fault, "entry %zu", i);
		if (!store->multi_stream && append->entries[i].stream != append->entries[0].stream)
			return fault_set(fault, FAULT_INPUT, "several_streams",
					 "the %s store writes one stream an append", store->kind);
	}
	for (size_t i = 0; i < append->record_count; i++)
		if (check_record(&append->records[i], fault) != 0)
			return fault_prefix(fault, "record %zu", i);
	if (check_size(append->reply, 0, ENTRY_DATA_MAX, "the reply", fault) != 0 ||
	    check_size(append->provenance.correlation_id, 0, STORE_KEY_MAX, "the correlation id", fault) != 0 ||
	    check_size(append->provenance.causation_id, 0, STORE_KEY_MAX, "the causation id", fault) != 0 ||
	    check_size(append->provenance.traceparent, 0, STORE_KEY_MAX, "the traceparent", fault) != 0 ||
	    check_size(append->provenance.actor, 0, STORE_KEY_MAX, "the actor", fault) != 0)
		return -1;
	return 0;
}

void
store_close(struct store *store)
{
	if (store != NULL)
		store->ops->close(store);
}

enum commit_result
store_commit(struct store *store, struct append **appends, size_t count, struct fault *fault)
{
	for (size_t i = 0; i < count; i++) {
		struct append *append = appends[i];

		append->answer = APPEND_NONE;
		append->first = append->last = 0;
		append->recorded_at_us = 0;
		append->versions = NULL;
		append->last_link = (struct check){ { 0 } };
		append->conflict_stream = append->conflict_record = 0;
		append->actual = 0;
		append->repeated_reply = SLICE_NONE;
		fault_clear(&append->fault);
		if (check_append(store, append, &append->fault) != 0)
			append->answer = APPEND_FAILED;
	}
	return store->ops->commit(store, appends, count, fault);
}

bool
store_idle(struct store *store)
{
	return store->ops->idle(store);
}

int
store_reader_open(struct store *store, struct store_reader **reader, struct fault *fault)
{
	*reader = NULL;
	return store->ops->reader_open(store, reader, fault);
}

void
store_reader_close(struct store_reader *reader)
{
	if (reader != NULL)
		reader->store->ops->reader_close(reader);
}

log_position
store_head(const struct store *store)
{
	return atomic_load_explicit(&store->head, memory_order_acquire);
}

static int
check_limit(struct read_limit limit, struct fault *fault)
{
	if (limit.entries == 0)
		return fault_set(fault, FAULT_INPUT, "bad_limit", "a read gives at least one entry");
	return 0;
}

int
store_read_stream(struct store_reader *reader, struct slice stream, stream_version from, struct read_limit limit,
		  struct arena *arena, struct entries *entries, stream_version *version, struct fault *fault)
{
	struct stream_name name;

	*entries = (struct entries){ NULL, 0 };
	*version = 0;
	if (from == 0)
		return fault_set(fault, FAULT_INPUT, "bad_version", "versions begin at 1");
	if (check_limit(limit, fault) != 0 || stream_parse(stream, &name, fault) != 0)
		return -1;
	return reader->store->ops->read_stream(reader, stream, from, limit, arena, entries, version, fault);
}

int
store_read_log(struct store_reader *reader, log_position after, const struct log_filter *filter,
	       struct read_limit limit, struct arena *arena, struct entries *entries, log_position *seen,
	       struct fault *fault)
{
	static const struct log_filter all;

	*entries = (struct entries){ NULL, 0 };
	*seen = after;
	if (check_limit(limit, fault) != 0)
		return -1;
	return reader->store->ops->read_log(reader, after, filter != NULL ? filter : &all, limit, arena, entries, seen,
					    fault);
}

int
store_position_at(struct store_reader *reader, int64_t wall_us, log_position *position, struct fault *fault)
{
	*position = 0;
	return reader->store->ops->position_at(reader, wall_us, position, fault);
}

int
store_list_streams(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
		   struct arena *arena, struct slice **names, size_t *count, struct fault *fault)
{
	*names = NULL;
	*count = 0;
	if (limit == 0)
		return fault_set(fault, FAULT_INPUT, "bad_limit", "a list gives at least one name");
	return reader->store->ops->list_streams(reader, prefix, after, limit, arena, names, count, fault);
}

int
store_list_types(struct store_reader *reader, struct slice domain, struct arena *arena, struct type_found **types,
		 size_t *count, struct fault *fault)
{
	*types = NULL;
	*count = 0;
	return reader->store->ops->list_types(reader, domain, arena, types, count, fault);
}

int
store_list_generations(struct store_reader *reader, struct arena *arena, uint32_t **generations, size_t *count,
		       struct fault *fault)
{
	*generations = NULL;
	*count = 0;
	if (reader->store->ops->list_generations == NULL)
		return fault_set(fault, FAULT_CONFIG, "unsupported", "the %s store does not list generations",
				 reader->store->kind);
	return reader->store->ops->list_generations(reader, arena, generations, count, fault);
}

int
store_read_record(struct store_reader *reader, struct slice space, struct slice key, struct arena *arena,
		  struct slice *value, bool *found, struct fault *fault)
{
	*value = SLICE_NONE;
	*found = false;
	if (check_size(space, 1, STORE_SPACE_MAX, "the record's space", fault) != 0 ||
	    check_size(key, 1, STORE_KEY_MAX, "the record's key", fault) != 0)
		return -1;
	return reader->store->ops->read_record(reader, space, key, arena, value, found, fault);
}

int
store_list_records(struct store_reader *reader, struct slice space, struct slice after, size_t limit,
		   struct arena *arena, struct record **records, size_t *count, struct fault *fault)
{
	*records = NULL;
	*count = 0;
	if (limit == 0)
		return fault_set(fault, FAULT_INPUT, "bad_limit", "a list gives at least one record");
	if (check_size(space, 1, STORE_SPACE_MAX, "the record's space", fault) != 0)
		return -1;
	return reader->store->ops->list_records(reader, space, after, limit, arena, records, count, fault);
}

int
store_list_spaces(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
		  struct arena *arena, struct slice **spaces, size_t *count, struct fault *fault)
{
	*spaces = NULL;
	*count = 0;
	if (limit == 0)
		return fault_set(fault, FAULT_INPUT, "bad_limit", "a list gives at least one name");
	return reader->store->ops->list_spaces(reader, prefix, after, limit, arena, spaces, count, fault);
}

int
store_hold(struct store_reader *reader, log_position *head, struct fault *fault)
{
	*head = 0;
	if (reader->store->ops->hold == NULL)
		return fault_set(fault, FAULT_CONFIG, "unsupported", "the %s store has no moment to hold",
				 reader->store->kind);
	return reader->store->ops->hold(reader, head, fault);
}

void
store_let_go(struct store_reader *reader)
{
	if (reader->store->ops->let_go != NULL)
		reader->store->ops->let_go(reader);
}

int
store_find_command(struct store_reader *reader, const struct command_id *id, const struct fingerprint *fingerprint,
		   struct arena *arena, struct remembered *remembered, struct fault *fault)
{
	*remembered = (struct remembered){ 0 };
	return reader->store->ops->find_command(reader, id, fingerprint, arena, remembered, fault);
}

int
store_verify(struct store_reader *reader, struct verify_report *report, struct fault *fault)
{
	report->entries = report->findings = 0;
	if (reader->store->ops->verify == NULL)
		return fault_set(fault, FAULT_CONFIG, "unsupported", "the %s store has nothing to verify",
				 reader->store->kind);
	return reader->store->ops->verify(reader, report, fault);
}

int
store_backup(struct store_reader *reader, const char *path, struct verify_report *report, struct fault *fault)
{
	report->entries = report->findings = 0;
	if (reader->store->ops->backup == NULL)
		return fault_set(fault, FAULT_CONFIG, "unsupported", "the %s store has no backup", reader->store->kind);
	return reader->store->ops->backup(reader, path, report, fault);
}
