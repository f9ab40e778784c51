/* SPDX-License-Identifier: MIT */
#include "model/effects.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOTS       4096
#define KEYS_MAX    16
#define STREAMS_MAX 64

/* Every message of one id; repeats are further records. */
struct visible {
	struct slice id;
	unsigned times; /* effects */
	log_position at;
	bool before; /* one of its records lies before its lane's place */
};

struct record_seen {
	struct visible *of;
	struct slice lane, type, key;
	uint64_t offset;
	bool first;     /* of its id */
	bool malformed; /* no CloudEvent */
	bool dead;
};

struct looking {
	struct arena arena;
	struct visible *slots[SLOTS];
	struct record_seen *records;
	size_t count, room;
	struct store_reader *reader;
	struct effects *effects;
	unsigned long ones, echoes;
};

static void
blame(struct looking *look, const struct record_seen *record, const char *what)
{
	if (look->effects->reason[0] == '\0')
		snprintf(look->effects->reason, sizeof(look->effects->reason), "%.*s at %.*s/%llu (%.*s) %s",
			 SLICE_ARG(record->of->id), SLICE_ARG(record->lane), (unsigned long long)record->offset,
			 SLICE_ARG(record->type), what);
}

static struct visible **
slot_of(struct looking *look, struct slice id)
{
	size_t slot = slice_hash(id, 3) % SLOTS;

	while (look->slots[slot] != NULL && !slice_equal(look->slots[slot]->id, id))
		slot = (slot + 1) % SLOTS;
	return &look->slots[slot];
}

static struct slice
header(const struct cluster_record *record, const char *name)
{
	for (size_t i = 0; i < record->message.header_count; i++)
		if (slice_equal(record->message.headers[i].name, slice_text(name)))
			return record->message.headers[i].value;
	return SLICE_NONE;
}

static bool
is_type(const struct record_seen *record, const char *word)
{
	struct slice type = record->type, wanted = slice_text(word);

	for (size_t i = 0; i + wanted.size <= type.size; i++)
		if (memcmp(type.data + i, wanted.data, wanted.size) == 0)
			return true;
	return false;
}

static bool
is_handled(const struct record_seen *record)
{
	return record->malformed || !is_type(record, "Other");
}

/* ---- what there is ---- */

static void
see(struct looking *look, struct slice lane, uint64_t offset, const struct cluster_record *record)
{
	struct record_seen *seen;
	struct visible **slot;
	struct slice id = header(record, "ce_id");

	if (look->count == look->room) {
		struct record_seen *more = arena_alloc(&look->arena, (2 * look->room + 64) * sizeof(*more));

		must(more != NULL);
		if (look->count != 0)
			memcpy(more, look->records, look->count * sizeof(*more));
		look->records = more;
		look->room = 2 * look->room + 64;
	}
	seen = &look->records[look->count++];
	*seen = (struct record_seen){ .lane = lane,
				      .offset = offset,
				      .type = header(record, "ce_type"),
				      .key = record->message.key,
				      .malformed = id.size == 0 };
	if (seen->malformed)
		id = arena_format(&look->arena, "%.*s at %llu", SLICE_ARG(lane), (unsigned long long)offset);
	slot = slot_of(look, id);
	seen->first = *slot == NULL;
	if (*slot == NULL) {
		must(look->count < SLOTS / 2);
		*slot = arena_zero(&look->arena, 1, sizeof(**slot));
		(*slot)->id = id;
	}
	seen->of = *slot;
}

static void
see_all(struct looking *look, struct cluster *cluster)
{
	static const char *const names[] = { "alpha", "beta", "gamma" };

	for (size_t t = 0; t < countof(names); t++) {
		struct cluster_topic *topic = cluster_topic(cluster, slice_text(names[t]), CLUSTER_PARTITIONS);

		for (size_t p = 0; p < topic->partitions; p++) {
			struct slice lane = arena_format(&look->arena, "%s/%zu", names[t], p);
			size_t stable = cluster_stable(&topic->partition[p]);

			for (size_t o = 0; o < stable; o++) {
				const struct cluster_record *record = &topic->partition[p].records[o];

				if (!record->control && record->state == RECORD_COMMITTED)
					see(look, lane, o, record);
			}
		}
	}
}

/* ---- what came of it ---- */

struct sum {
	struct slice stream;
	long long sum;
};

static void
check_event(struct looking *look, struct sum *sums, const struct recorded_entry *entry)
{
	long long by = 0, said = 0;
	char text[80];
	size_t i = 0;

	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(entry->data));
	must(sscanf(text, "{\"by\":%lld,\"sum\":%lld}", &by, &said) == 2);
	while (sums[i].stream.size != 0 && !slice_equal(sums[i].stream, entry->stream))
		i++;
	must(i + 1 < STREAMS_MAX);
	sums[i].stream = entry->stream;
	sums[i].sum += by;
	look->ones += by == 1;
	look->echoes += slice_equal(entry->stream, SLICE("tally.counter/echo"));
	if (said != sums[i].sum && look->effects->reason[0] == '\0')
		snprintf(look->effects->reason, sizeof(look->effects->reason),
			 "position %llu of %.*s was decided on %lld, not %lld", (unsigned long long)entry->position,
			 SLICE_ARG(entry->stream), said - by, sums[i].sum - by);
}

static void
check_message(struct looking *look, const struct recorded_entry *entry)
{
	struct slice id = slice_from(entry->data.data + 7, entry->data.size - 9); /* {"of":"..."} */
	struct visible *of = *slot_of(look, id);

	if (of != NULL) {
		of->times++;
		of->at = entry->position;
	}
	if ((of == NULL || of->times != 1) && look->effects->reason[0] == '\0')
		snprintf(look->effects->reason, sizeof(look->effects->reason), "position %llu is %s effect of %.*s",
			 (unsigned long long)entry->position, of == NULL ? "an" : "a second", SLICE_ARG(id));
	if (of == NULL)
		strcat(look->effects->reason, ", which nobody can see");
}

static void
check_log(struct looking *look)
{
	const struct read_limit limit = { 1000000, 0 };
	struct sum sums[STREAMS_MAX] = { { SLICE_NONE, 0 } };
	struct entries entries;
	struct fault fault;
	log_position seen;

	must(store_read_log(look->reader, 0, NULL, limit, &look->arena, &entries, &seen, &fault) == 0);
	for (size_t i = 0; i < entries.count && look->effects->reason[0] == '\0'; i++) {
		const struct recorded_entry *entry = &entries.items[i];

		if (entry->kind == ENTRY_EVENT)
			check_event(look, sums, entry);
		else if (slice_equal(entry->topic, SLICE("out")))
			check_message(look, entry);
	}
	if (entries.count != 0)
		look->effects->digest = slice_hash(
			slice_from((const char *)entries.items[entries.count - 1].link.bytes, CHECK_SIZE), 5);
}

static bool
read_record(struct looking *look, const char *space, struct slice key, uint64_t *number)
{
	struct slice value;
	struct fault fault;
	bool found;

	*number = 0;
	must(store_read_record(look->reader, slice_text(space), key, &look->arena, &value, &found, &fault) == 0);
	for (size_t i = 0; i < value.size && value.data[i] >= '0' && value.data[i] <= '9'; i++)
		*number = 10 * *number + (uint64_t)(value.data[i] - '0');
	return found;
}

static size_t
count_records(struct looking *look, const char *space)
{
	struct record *records;
	struct fault fault;
	size_t count;

	must(store_list_records(look->reader, slice_text(space), SLICE_NONE, 100000, &look->arena, &records, &count,
				&fault) == 0);
	return count;
}

/* Before the place each has its effect or is a dead letter, behind it there is nothing of it. */
static void
check_places(struct looking *look)
{
	struct effects *effects = look->effects;
	struct slice lane = SLICE_NONE;
	uint64_t place = 0, ignored;

	for (size_t i = 0; i < look->count; i++) {
		struct record_seen *record = &look->records[i];
		char key[64];

		if (!slice_equal(record->lane, lane))
			read_record(look, "consumer/tally.adder", record->lane, &place);
		lane = record->lane;
		snprintf(key, sizeof(key), "%.*s/%020llu", SLICE_ARG(lane), (unsigned long long)record->offset);
		record->dead = read_record(look, "dead/tally.adder", slice_text(key), &ignored);
		record->of->before = record->of->before || record->offset < place;
		effects->letters += record->dead;
		if (!is_handled(record))
			continue;
		if (record->offset < place && record->of->times == 0 && !record->dead)
			blame(look, record, "has had no effect");
		if (record->offset >= place && record->dead)
			blame(look, record, "is a dead letter that lies behind its lane's place");
		if (effects->missing[0] == '\0' && (record->offset >= place || (record->dead && !record->malformed)))
			snprintf(effects->missing, sizeof(effects->missing), "%.*s at %.*s/%llu (%.*s) %s, place %llu",
				 SLICE_ARG(record->of->id), SLICE_ARG(lane), (unsigned long long)record->offset,
				 SLICE_ARG(record->type), record->dead ? "is a dead letter" : "is not taken",
				 (unsigned long long)place);
	}
}

static void
check_each(struct looking *look, const struct effects_wanted *wanted)
{
	struct {
		struct slice key;
		log_position at;
	} last[KEYS_MAX];
	struct slice lane = SLICE_NONE;
	size_t keys = 0;

	for (size_t i = 0; i < look->count; i++) {
		struct record_seen *record = &look->records[i];
		size_t k = 0;

		if (!slice_equal(record->lane, lane))
			keys = 0;
		lane = record->lane;
		look->effects->taken += record->first && record->of->times != 0;
		if (record->of->times != 0 && (!is_handled(record) || record->malformed || !record->of->before))
			blame(look, record, "has an effect that it cannot have yet");
		if (!record->first || record->of->times == 0 || (!wanted->ordered && is_type(record, "Bad")))
			continue;
		while (k < keys && !slice_equal(last[k].key, record->key))
			k++;
		must(k < KEYS_MAX);
		if (k == keys)
			last[keys++].key = record->key;
		else if (last[k].at > record->of->at)
			blame(look, record, "had its effect before one of its key that comes before it");
		last[k].at = record->of->at;
	}
}

static void
check_own(struct looking *look)
{
	struct effects *effects = look->effects;

	if (look->echoes > look->ones && effects->reason[0] == '\0')
		snprintf(effects->reason, sizeof(effects->reason), "%lu own events have %lu effects", look->ones,
			 look->echoes);
	if (look->echoes < look->ones && effects->missing[0] == '\0')
		snprintf(effects->missing, sizeof(effects->missing), "%lu own events have %lu effects", look->ones,
			 look->echoes);
}

void
effects_of(struct cluster *cluster, struct store *store, const struct effects_wanted *wanted, struct effects *effects)
{
	static struct looking look;
	struct fault fault;

	look = (struct looking){ .effects = effects };
	*effects = (struct effects){ .complete = false };
	arena_init(&look.arena, (size_t)1 << 28);
	must(store_reader_open(store, &look.reader, &fault) == 0);
	see_all(&look, cluster);
	check_log(&look);
	check_places(&look);
	check_each(&look, wanted);
	if (wanted->own)
		check_own(&look);
	if (effects->missing[0] == '\0' && count_records(&look, "parked/tally.adder") != 0)
		snprintf(effects->missing, sizeof(effects->missing), "a key is parked and has no letters");
	effects->complete = effects->missing[0] == '\0';
	store_reader_close(look.reader);
	arena_fini(&look.arena);
}
