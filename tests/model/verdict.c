/* SPDX-License-Identifier: MIT */
#include "model/verdict.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/cloudevent.h"

struct expected_message {
	log_position position, commit_end;
	struct cluster_partition *place;
	char id[ID_TEXT_SIZE];
	size_t seen;
	uint64_t txn;
};

struct expectation {
	struct arena arena;
	struct expected_message *messages;
	size_t count;
};

static void
read_all(struct store *store, struct arena *arena, struct entries *entries)
{
	const struct read_limit limit = { 1000000, 0 };
	struct store_reader *reader;
	struct fault fault;
	log_position seen;

	must(store_reader_open(store, &reader, &fault) == 0);
	must(store_read_log(reader, 0, NULL, limit, arena, entries, &seen, &fault) == 0);
	store_reader_close(reader);
}

static void
expect(struct cluster *cluster, struct store *store, struct expectation *expected)
{
	struct entries entries;

	*expected = (struct expectation){ .count = 0 };
	arena_init(&expected->arena, (size_t)1 << 28);
	read_all(store, &expected->arena, &entries);
	expected->messages = arena_zero(&expected->arena, entries.count + 1, sizeof(*expected->messages));
	for (size_t i = 0; i < entries.count; i++) {
		const struct recorded_entry *entry = &entries.items[i];
		struct expected_message *message = &expected->messages[expected->count];
		const char *slash = memchr(entry->stream.data, '/', entry->stream.size);
		struct slice id = slice_from(slash + 1, entry->stream.size - (size_t)(slash + 1 - entry->stream.data));
		if (entry->topic.size == 0)
			continue;
		message->position = entry->position;
		message->commit_end = entry->commit_first + entry->commit_size - 1;
		message->place = cluster_place(cluster_topic(cluster, entry->topic, CLUSTER_PARTITIONS),
					       entry->key.size != 0 ? entry->key : id);
		id_format(&entry->id, message->id);
		expected->count++;
	}
}

static bool
is_ours(const struct cluster_topic *topic)
{
	return slice_equal(topic->name, SLICE("alpha")) || slice_equal(topic->name, SLICE("beta"));
}

static struct slice
id_of(const struct cluster_record *record)
{
	for (size_t i = 0; i < record->message.header_count; i++)
		if (slice_equal(record->message.headers[i].name, SLICE("ce_id")))
			return record->message.headers[i].value;
	return SLICE_NONE;
}

/* The next of this partition that is expected after `from`. */
static size_t
next_at(const struct expectation *expected, const struct cluster_partition *place, size_t from)
{
	while (from < expected->count && expected->messages[from].place != place)
		from++;
	return from;
}

static bool
compare_partition(struct cluster_partition *at, struct expectation *expected, bool repeats, struct verdict *verdict)
{
	size_t stable = cluster_stable(at), next = next_at(expected, at, 0);

	for (size_t offset = 0; offset < stable; offset++) {
		const struct cluster_record *record = &at->records[offset];
		struct slice id = id_of(record);
		size_t found = 0;

		if (record->control || record->state != RECORD_COMMITTED)
			continue;
		if (next < expected->count && slice_equal(id, slice_text(expected->messages[next].id))) {
			expected->messages[next].seen++;
			expected->messages[next].txn = record->txn;
			next = next_at(expected, at, next + 1);
			continue;
		}
		while (found < expected->count && !slice_equal(id, slice_text(expected->messages[found].id)))
			found++;
		if (found == expected->count) {
			snprintf(verdict->reason, sizeof(verdict->reason), "%.*s at offset %zu is of no commit",
				 SLICE_ARG(id), offset);
			return false;
		}
		if (repeats && expected->messages[found].seen != 0)
			continue;
		snprintf(verdict->reason, sizeof(verdict->reason), "position %llu at offset %zu %s, next is %llu",
			 (unsigned long long)expected->messages[found].position, offset,
			 expected->messages[found].seen != 0 ? "is there again" : "comes too early",
			 next < expected->count ? (unsigned long long)expected->messages[next].position : 0);
		return false;
	}
	return true;
}

/* Is what is out a beginning of the log, in whole commits, each in one transaction? */
static void
check_whole(struct expectation *expected, struct verdict *verdict)
{
	log_position last = 0;

	for (size_t i = 0; i < expected->count; i++)
		if (expected->messages[i].seen != 0)
			last = expected->messages[i].commit_end;
	verdict->complete = true;
	for (size_t i = 0; i < expected->count; i++) {
		const struct expected_message *message = &expected->messages[i];

		if (message->seen == 0 && verdict->complete) {
			verdict->complete = false;
			verdict->missing = message->position;
		}
		if (i != 0 && message[-1].commit_end == message->commit_end && message->seen != 0 &&
		    message[-1].seen != 0 && message[-1].txn != message->txn)
			snprintf(verdict->reason, sizeof(verdict->reason),
				 "positions %llu and %llu of one commit are in two transactions",
				 (unsigned long long)message[-1].position, (unsigned long long)message->position);
	}
	(void)last;
}

/* A transaction that is decided shows on some partitions before others; here all its markers count as written. */
static void
judge(struct cluster *cluster, struct store *store, bool repeats, struct verdict *verdict)
{
	struct expectation expected;
	bool well = true;

	*verdict = (struct verdict){ .complete = false };
	expect(cluster, store, &expected);
	for (size_t t = 0; t < cluster->topic_count && well; t++)
		for (size_t i = 0; i < CLUSTER_PARTITIONS && well && is_ours(&cluster->topics[t]); i++)
			well = compare_partition(&cluster->topics[t].partition[i], &expected, repeats, verdict);
	if (well)
		check_whole(&expected, verdict);
	if (well && repeats && !verdict->complete)
		snprintf(verdict->reason, sizeof(verdict->reason), "position %llu is not out",
			 (unsigned long long)verdict->missing);
	arena_fini(&expected.arena);
}

void
verdict_of(struct cluster *cluster, struct store *const *stores, size_t count, struct verdict *verdict)
{
	char first[sizeof(verdict->reason)];

	judge(cluster, stores[0], false, verdict);
	for (size_t i = 1; i < count && verdict->reason[0] != '\0'; i++) {
		memcpy(first, verdict->reason, sizeof(first));
		judge(cluster, stores[i], false, verdict);
		if (verdict->reason[0] != '\0')
			memcpy(verdict->reason, first, sizeof(first));
	}
}

void
verdict_of_repeats(struct cluster *cluster, struct store *store, struct verdict *verdict)
{
	judge(cluster, store, true, verdict);
}

/* ---- a copy ---- */

static void
commit(struct store *to, struct append *append)
{
	struct append *appends[1] = { append };
	struct fault fault;

	must(store_commit(to, appends, 1, &fault) == COMMIT_DONE && append->answer == APPEND_DONE);
}

static void
copy_commit(const struct recorded_entry *entries, struct store *to, struct arena *arena)
{
	size_t count = entries->commit_size;
	struct append_stream *streams = arena_zero(arena, count, sizeof(*streams));
	struct new_entry *fresh = arena_zero(arena, count, sizeof(*fresh));
	struct append append = { .streams = streams,
				 .entries = fresh,
				 .entry_count = count,
				 .provenance = entries->provenance,
				 .generation = entries->generation,
				 .at_us = entries->recorded_at_us,
				 .arena = arena };

	for (size_t i = 0; i < count; i++) {
		size_t stream = 0;
		while (stream < append.stream_count && !slice_equal(streams[stream].name, entries[i].stream))
			stream++;
		if (stream == append.stream_count)
			streams[append.stream_count++].name = entries[i].stream;
		fresh[i] = (struct new_entry){ .kind = entries[i].kind,
					       .stream = (uint32_t)stream,
					       .schema_version = entries[i].schema_version,
					       .type = entries[i].type,
					       .data = entries[i].data,
					       .topic = entries[i].topic,
					       .key = entries[i].key,
					       .headers = entries[i].headers,
					       .digest = entries[i].digest };
	}
	commit(to, &append);
	must(check_equal(&append.last_link, &entries[count - 1].link));
}

void
verdict_copy(struct store *from, struct store *to)
{
	struct store_reader *reader;
	struct record *records;
	struct entries entries;
	struct arena arena;
	struct fault fault;
	size_t count = 0;

	arena_init(&arena, (size_t)1 << 28);
	read_all(from, &arena, &entries);
	for (size_t i = 0; i < entries.count; i += entries.items[i].commit_size)
		copy_commit(&entries.items[i], to, &arena);
	must(store_reader_open(from, &reader, &fault) == 0);
	must(store_list_records(reader, SLICE("relay"), SLICE_NONE, 100, &arena, &records, &count, &fault) == 0);
	for (size_t i = 0; i < count; i++) {
		struct record_write write = { .space = SLICE("relay"),
					      .key = records[i].key,
					      .value = records[i].value };
		struct append append = { .records = &write, .record_count = 1, .arena = &arena };
		commit(to, &append);
	}
	store_reader_close(reader);
	arena_fini(&arena);
}

uint64_t
verdict_digest(struct cluster *cluster, unsigned *messages)
{
	uint64_t digest = 1;

	*messages = 0;
	for (size_t t = 0; t < cluster->topic_count; t++) {
		for (size_t p = 0; p < CLUSTER_PARTITIONS; p++) {
			const struct cluster_partition *at = &cluster->topics[t].partition[p];
			for (size_t i = 0; i < at->count; i++) {
				const struct cluster_record *record = &at->records[i];
				digest = slice_hash(record->message.value,
						    digest * 31 + record->epoch + (uint64_t)record->state);
				*messages += !record->control && record->state == RECORD_COMMITTED &&
					     is_ours(&cluster->topics[t]);
			}
		}
	}
	return digest;
}
