/* SPDX-License-Identifier: MIT */
/*
 * Reading from memory: every read copies into the caller's arena under the store's lock, so what it gives stays as it
 * is.
 * Fails: MEMORY when the arena is full; CORRUPT when an entry's content does not give its digest.
 */
#include <stdlib.h>

#include "store/memory/room.h"

static struct memory_store *
lock(struct store_reader *reader)
{
	struct memory_store *memory = container_of(reader->store, struct memory_store, base);

	pthread_mutex_lock(&memory->lock);
	return memory;
}

static int
unlock(struct memory_store *memory, int result)
{
	pthread_mutex_unlock(&memory->lock);
	return result;
}

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "the read's result does not fit its memory");
}

static int
copy_entry(struct arena *arena, const struct recorded_entry *from, struct recorded_entry *to, struct fault *fault)
{
	struct slice *slices[] = { &to->stream,
				   &to->type,
				   &to->data,
				   &to->topic,
				   &to->key,
				   &to->headers,
				   &to->provenance.correlation_id,
				   &to->provenance.causation_id,
				   &to->provenance.traceparent,
				   &to->provenance.actor };
	struct check digest;

	*to = *from;
	for (size_t i = 0; i < countof(slices); i++)
		if (slices[i]->size != 0 && (*slices[i] = arena_copy(arena, *slices[i])).data == NULL)
			return no_memory(fault);
	entry_digest_recorded(to, &digest);
	if (!check_equal(&digest, &to->digest))
		return fault_set(fault, FAULT_CORRUPT, "digest_mismatch",
				 "%.*s version %llu at position %llu: its content does not give its digest",
				 SLICE_ARG(to->stream), (unsigned long long)to->version,
				 (unsigned long long)to->position);
	return 0;
}

static bool
matches(const struct log_filter *filter, const struct recorded_entry *entry)
{
	struct slice domain = filter->domain;

	if (domain.size != 0 && !(entry->stream.size > domain.size && entry->stream.data[domain.size] == '.' &&
				  slice_starts_with(entry->stream, domain)))
		return false;
	if (filter->stream_prefix.size != 0 && !slice_starts_with(entry->stream, filter->stream_prefix))
		return false;
	if (filter->events_only && entry->kind != ENTRY_EVENT)
		return false;
	return !filter->published_only || entry->topic.size != 0;
}

/* Adds an entry to the result unless a limit is reached: gives 1 when added, 0 when full, -1 with a fault. */
static int
add(struct arena *arena, struct read_limit limit, size_t *bytes, const struct recorded_entry *from,
    struct entries *entries, struct fault *fault)
{
	if (entries->count == limit.entries ||
	    (limit.bytes != 0 && entries->count != 0 && *bytes + from->data.size > limit.bytes))
		return 0;
	*bytes += from->data.size;
	if (copy_entry(arena, from, &entries->items[entries->count], fault) != 0)
		return -1;
	entries->count++;
	return 1;
}

static int
take_items(struct arena *arena, struct read_limit limit, size_t most, struct entries *entries, struct fault *fault)
{
	size_t count = limit.entries < most ? limit.entries : most;

	entries->items = arena_zero(arena, count + 1, sizeof(*entries->items));
	return entries->items != NULL ? 0 : no_memory(fault);
}

int
memory_read_stream(struct store_reader *reader, struct slice name, stream_version from, struct read_limit limit,
		   struct arena *arena, struct entries *entries, stream_version *version, struct fault *fault)
{
	struct memory_store *memory = lock(reader);
	const struct memory_stream *stream = memory_table_get(&memory->streams, name);
	size_t bytes = 0;
	int added = 1;

	*version = stream != NULL ? stream->version : 0;
	if (from > *version)
		return unlock(memory, 0);
	if (take_items(arena, limit, (size_t)(*version - from + 1), entries, fault) != 0)
		return unlock(memory, -1);
	for (stream_version v = from; v <= *version && added == 1; v++)
		added = add(arena, limit, &bytes, &memory->log[stream->positions[v - 1] - 1], entries, fault);
	return unlock(memory, added < 0 ? -1 : 0);
}

int
memory_read_log(struct store_reader *reader, log_position after, const struct log_filter *filter,
		struct read_limit limit, struct arena *arena, struct entries *entries, log_position *seen,
		struct fault *fault)
{
	struct memory_store *memory = lock(reader);
	size_t bytes = 0, end = memory->log_count;

	if (filter != NULL && filter->until != 0 && filter->until < end)
		end = (size_t)filter->until;
	if (after >= end)
		return unlock(memory, 0);
	if (take_items(arena, limit, end - (size_t)after, entries, fault) != 0)
		return unlock(memory, -1);
	for (size_t i = (size_t)after; i < end; i++) {
		if (matches(filter, &memory->log[i])) {
			int added = add(arena, limit, &bytes, &memory->log[i], entries, fault);

			if (added != 1)
				return unlock(memory, added);
		}
		*seen = i + 1;
	}
	return unlock(memory, 0);
}

int
memory_position_at(struct store_reader *reader, int64_t wall_us, log_position *position, struct fault *fault)
{
	struct memory_store *memory = lock(reader);

	(void)fault;
	*position = memory->log_count;
	while (*position != 0 && memory->log[*position - 1].recorded_at_us > wall_us)
		--*position;
	return unlock(memory, 0);
}

static int
compare_names(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

int
memory_list_streams(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
		    struct arena *arena, struct slice **names, size_t *count, struct fault *fault)
{
	struct memory_store *memory = lock(reader);

	*names = arena_zero(arena, memory->streams.count + 1, sizeof(struct slice));
	if (*names == NULL)
		return unlock(memory, no_memory(fault));
	for (size_t i = 0; i < memory->streams.room; i++) {
		const struct memory_stream *stream = memory->streams.slots[i].item;

		if (stream != NULL && slice_starts_with(stream->name, prefix) &&
		    (after.size == 0 || slice_compare(stream->name, after) > 0))
			(*names)[(*count)++] = stream->name;
	}
	qsort(*names, *count, sizeof(struct slice), compare_names);
	if (*count > limit)
		*count = limit;
	for (size_t i = 0; i < *count; i++)
		if (((*names)[i] = arena_copy(arena, (*names)[i])).data == NULL)
			return unlock(memory, no_memory(fault));
	return unlock(memory, 0);
}

static struct type_found *
find_type(struct type_found *types, size_t count, const struct type_found *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (types[i].schema_version == wanted->schema_version && slice_equal(types[i].type, wanted->type) &&
		    slice_equal(types[i].aggregate, wanted->aggregate))
			return &types[i];
	return NULL;
}

int
memory_list_types(struct store_reader *reader, struct slice domain, struct arena *arena, struct type_found **types,
		  size_t *count, struct fault *fault)
{
	struct memory_store *memory = lock(reader);
	const struct log_filter filter = { .domain = domain };
	size_t room = 0;

	for (size_t i = 0; i < memory->log_count; i++) {
		const struct recorded_entry *entry = &memory->log[i];
		const char *slash = memchr(entry->stream.data, '/', entry->stream.size);
		struct type_found found = { slice_from(entry->stream.data, (size_t)(slash - entry->stream.data)),
					    entry->type, entry->schema_version, entry->position };
		struct type_found *known = find_type(*types, *count, &found);

		if (entry->kind != ENTRY_EVENT || !matches(&filter, entry))
			continue;
		if (known != NULL) {
			known->newest = entry->position;
			continue;
		}
		if (*count == room) {
			struct type_found *wider = arena_zero(arena, room = room * 2 + 16, sizeof(*wider));

			if (wider != NULL && *count != 0)
				memcpy(wider, *types, *count * sizeof(*wider));
			*types = wider;
		}
		found.aggregate = arena_copy(arena, found.aggregate);
		found.type = arena_copy(arena, found.type);
		if (*types == NULL || found.aggregate.data == NULL || found.type.data == NULL)
			return unlock(memory, no_memory(fault));
		(*types)[(*count)++] = found;
	}
	return unlock(memory, 0);
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y ? 1 : 0;
}

int
memory_list_generations(struct store_reader *reader, struct arena *arena, uint32_t **generations, size_t *count,
			struct fault *fault)
{
	struct memory_store *memory = lock(reader);
	uint32_t *numbers = arena_zero(arena, memory->log_count + 1, sizeof(*numbers));
	size_t kept = 0;

	if (numbers == NULL)
		return unlock(memory, no_memory(fault));
	for (size_t i = 0; i < memory->log_count; i++)
		numbers[i] = memory->log[i].generation;
	qsort(numbers, memory->log_count, sizeof(*numbers), compare_numbers);
	for (size_t i = 0; i < memory->log_count; i++)
		if (numbers[i] != 0 && (kept == 0 || numbers[kept - 1] != numbers[i]))
			numbers[kept++] = numbers[i];
	*generations = numbers;
	*count = kept;
	return unlock(memory, 0);
}

int
memory_read_record(struct store_reader *reader, struct slice space, struct slice key, struct arena *arena,
		   struct slice *value, bool *found, struct fault *fault)
{
	struct memory_store *memory = lock(reader);
	struct slice name = memory_record_name(arena, space, key);
	const struct memory_record *record;

	if (name.data == NULL)
		return unlock(memory, no_memory(fault));
	record = memory_table_get(&memory->records, name);
	*found = record != NULL && record->present;
	if (*found && (*value = arena_copy(arena, record->value)).data == NULL)
		return unlock(memory, no_memory(fault));
	return unlock(memory, 0);
}

static int
compare_records(const void *a, const void *b)
{
	return slice_compare(((const struct record *)a)->key, ((const struct record *)b)->key);
}

int
memory_list_records(struct store_reader *reader, struct slice space, struct slice after, size_t limit,
		    struct arena *arena, struct record **records, size_t *count, struct fault *fault)
{
	struct memory_store *memory = lock(reader);

	*records = arena_zero(arena, memory->records.count + 1, sizeof(struct record));
	if (*records == NULL)
		return unlock(memory, no_memory(fault));
	for (size_t i = 0; i < memory->records.room; i++) {
		const struct memory_record *record = memory->records.slots[i].item;

		if (record != NULL && record->present && slice_equal(record->space, space) &&
		    (after.size == 0 || slice_compare(record->key, after) > 0))
			(*records)[(*count)++] = (struct record){ record->key, record->value };
	}
	qsort(*records, *count, sizeof(struct record), compare_records);
	if (*count > limit)
		*count = limit;
	for (size_t i = 0; i < *count; i++) {
		struct record *record = &(*records)[i];

		record->key = arena_copy(arena, record->key);
		record->value = arena_copy(arena, record->value);
		if (record->key.data == NULL || record->value.data == NULL)
			return unlock(memory, no_memory(fault));
	}
	return unlock(memory, 0);
}

int
memory_list_spaces(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
		   struct arena *arena, struct slice **spaces, size_t *count, struct fault *fault)
{
	struct memory_store *memory = lock(reader);
	size_t kept = 0;

	*spaces = arena_zero(arena, memory->records.count + 1, sizeof(struct slice));
	if (*spaces == NULL)
		return unlock(memory, no_memory(fault));
	for (size_t i = 0; i < memory->records.room; i++) {
		const struct memory_record *record = memory->records.slots[i].item;

		if (record != NULL && record->present && slice_starts_with(record->space, prefix) &&
		    slice_compare(record->space, after) > 0)
			(*spaces)[(*count)++] = record->space;
	}
	qsort(*spaces, *count, sizeof(struct slice), compare_names);
	for (size_t i = 0; i < *count && kept < limit; i++)
		if (kept == 0 || !slice_equal((*spaces)[kept - 1], (*spaces)[i]))
			(*spaces)[kept++] = (*spaces)[i];
	*count = kept;
	for (size_t i = 0; i < kept; i++)
		if (((*spaces)[i] = arena_copy(arena, (*spaces)[i])).data == NULL)
			return unlock(memory, no_memory(fault));
	return unlock(memory, 0);
}

int
memory_find_command(struct store_reader *reader, const struct command_id *id, const struct fingerprint *fingerprint,
		    struct arena *arena, struct remembered *remembered, struct fault *fault)
{
	struct memory_store *memory = lock(reader);
	const struct memory_command *command = memory_table_get(&memory->commands, slice_from(id->bytes, 16));

	if (command == NULL)
		return unlock(memory, 0);
	*remembered = (struct remembered){
		true, fingerprint == NULL || memcmp(fingerprint, &command->fingerprint, sizeof(*fingerprint)) == 0,
		command->first, command->last, arena_copy(arena, command->reply)
	};
	return unlock(memory, remembered->reply.data != NULL ? 0 : no_memory(fault));
}
