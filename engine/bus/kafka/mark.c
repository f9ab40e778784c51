/* SPDX-License-Identifier: MIT */
/*
 * Value of a mark: one JSON object of texts and integers, the link in hexadecimal.
 *
 * Reading back: the end is asked of a client that sees what is not committed, for to one that does not, the end is
 * where the oldest open transaction begins, of whomever it is, and our own newest mark may lie behind that. Then a
 * client that sees only what is committed reads until it has come to that end: a record, or the word that there is
 * none before it (the last offsets may be markers). It begins near the end, where the newest mark is unless many others
 * write here, and at the start when ours was not among those.
 *
 *     ASK -> READ_TAIL -> (ours found) DONE
 *                      -> READ_ALL -> DONE
 *
 * The fence has ended whatever was ours. A mark of ours that is open all the same hangs: brokers (Kafka 4 while a
 * partition has no leader) complete a transaction without writing its end. What lies before it is the newest mark then.
 */
#include "bus/kafka/mark.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "bus/kafka/topics.h"

#define TAIL     1000
#define HANGS_NS ((int64_t)1000 * 1000 * 1000) /* a moment more than the brokers' own order of things asks for */

enum stage { ASK, READ_TAIL, READ_ALL, DONE };

struct kafka_mark_reader {
	const struct kafka_options *options;
	char topic[256];
	char key[256];
	rd_kafka_t *client;
	enum stage stage;
	int64_t first, end; /* as the desk saw them */
	bool found;
	struct buf newest; /* value of the newest record with our key; nothing: a tombstone */
	int64_t open_at;   /* what is not decided begins there; -1: it is not known that something is */
	bool looked;       /* whose that is */
	int64_t ours_ns;   /* since when it is known to be ours; 0: it is not */
	bool hangs;
	struct buf open; /* value of the record at open_at, when it is ours */
};

void
kafka_mark_encode(const struct bus_mark *mark, struct buf *value)
{
	buf_byte(value, '{');
	json_key(value, "store");
	json_quote(value, mark->store);
	json_key(value, "incarnation");
	buf_u64(value, mark->incarnation);
	json_key(value, "position");
	buf_u64(value, mark->position);
	json_key(value, "link");
	buf_byte(value, '"');
	buf_hex(value, mark->link.bytes, sizeof(mark->link.bytes));
	buf_byte(value, '"');
	json_key(value, "owner");
	json_quote(value, mark->owner);
	json_key(value, "epoch");
	buf_u64(value, mark->epoch);
	json_key(value, "at_us");
	buf_i64(value, mark->at_us);
	buf_byte(value, '}');
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
get_link(struct slice hex, struct check *link)
{
	if (hex.size != 2 * sizeof(link->bytes))
		return false;
	for (size_t i = 0; i < sizeof(link->bytes); i++) {
		int high = digit(hex.data[2 * i]), low = digit(hex.data[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		link->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
get_text(struct json_value object, struct slice name, struct arena *arena, struct slice *text)
{
	struct json_value item;
	struct buf decoded;

	if (!json_member(object, name, &item) || item.kind != JSON_STRING)
		return false;
	buf_init(&decoded, item.raw.size);
	json_decode(item, &decoded);
	*text = arena_copy(arena, buf_slice(&decoded));
	bool good = !decoded.failed && text->data != NULL;
	buf_fini(&decoded);
	return good;
}

static bool
get_u64(struct json_value object, struct slice name, uint64_t *number)
{
	struct json_value item;

	return json_member(object, name, &item) && item.kind == JSON_NUMBER && json_to_u64(item, number);
}

int
kafka_mark_decode(struct slice value, struct arena *arena, struct bus_mark *mark, struct fault *fault)
{
	struct json_value object, at;
	struct slice link;
	uint64_t incarnation;

	*mark = (struct bus_mark){ 0 };
	if (json_check(value, &object, fault) != 0)
		return fault_set(fault, FAULT_CORRUPT, "bad_mark", "the newest mark is not JSON: %.*s",
				 value.size < 200 ? (int)value.size : 200, value.data);
	if (object.kind != JSON_OBJECT || !get_text(object, SLICE("store"), arena, &mark->store) ||
	    !get_text(object, SLICE("owner"), arena, &mark->owner) || !get_text(object, SLICE("link"), arena, &link) ||
	    !get_link(link, &mark->link) || !get_u64(object, SLICE("incarnation"), &incarnation) ||
	    incarnation > UINT32_MAX || !get_u64(object, SLICE("position"), &mark->position) ||
	    !get_u64(object, SLICE("epoch"), &mark->epoch) || !json_member(object, SLICE("at_us"), &at) ||
	    !json_to_i64(at, &mark->at_us))
		return fault_set(fault, FAULT_CORRUPT, "bad_mark",
				 "the newest mark lacks a field, or has a bad one: %.*s",
				 value.size < 200 ? (int)value.size : 200, value.data);
	mark->incarnation = (uint32_t)incarnation;
	mark->found = true;
	return 0;
}

struct kafka_mark_reader *
kafka_mark_reader_open(const struct kafka_options *options, const char *topic, const char *key, struct fault *fault)
{
	struct kafka_mark_reader *reader = calloc(1, sizeof(*reader));

	if (reader == NULL) {
		fault_set(fault, FAULT_MEMORY, NULL, "no memory to read a mark");
		return NULL;
	}
	reader->options = options;
	/* The library gives records only to a client that names a group; this one joins none. */
	const struct kafka_setting settings[] = {
		{ "group.id", topic },
		{ "enable.auto.commit", "false" },
		{ "enable.auto.offset.store", "false" },
		{ "isolation.level", "read_committed" },
		{ "auto.offset.reset", "earliest" },
		{ "enable.partition.eof", "true" },
		{ "fetch.wait.max.ms", "20" },
		{ "allow.auto.create.topics", "false" },
		{ NULL, NULL },
	};
	rd_kafka_conf_t *conf = kafka_configure(options, NULL, settings, fault);
	reader->client = conf != NULL ? kafka_client(RD_KAFKA_CONSUMER, conf, fault) : NULL;
	if (reader->client == NULL) {
		free(reader);
		return NULL;
	}
	rd_kafka_poll_set_consumer(reader->client);
	must(strlen(topic) < sizeof(reader->topic) && strlen(key) < sizeof(reader->key));
	strcpy(reader->topic, topic);
	strcpy(reader->key, key);
	buf_init(&reader->newest, 1 << 20);
	buf_init(&reader->open, 1 << 20);
	reader->open_at = -1;
	return reader;
}

void
kafka_mark_reader_close(struct kafka_mark_reader *reader)
{
	if (reader == NULL)
		return;
	/* It is in no group: leaving one would only wait for a coordinator that may be away. */
	rd_kafka_destroy_flags(reader->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	buf_fini(&reader->newest);
	buf_fini(&reader->open);
	free(reader);
}

static void
start_at(struct kafka_mark_reader *reader, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, reader->topic, 0)->offset = offset;
	must(rd_kafka_assign(reader->client, list) == RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_topic_partition_list_destroy(list);
}

static bool
is_ours(const struct kafka_mark_reader *reader, const rd_kafka_message_t *record)
{
	return record->key_len == strlen(reader->key) && memcmp(record->key, reader->key, record->key_len) == 0;
}

/* One record. true: that was the last before the end. */
static bool
take(struct kafka_mark_reader *reader, const rd_kafka_message_t *record)
{
	reader->open_at = -1;
	if (is_ours(reader, record)) {
		reader->found = record->payload != NULL;
		buf_clear(&reader->newest);
		if (record->payload != NULL)
			buf_add(&reader->newest, slice_from(record->payload, record->len));
	}
	return record->offset + 1 >= reader->end;
}

/* Nothing more is committed before `offset`. */
static void
meet_open(struct kafka_mark_reader *reader, int64_t offset)
{
	if (reader->open_at == offset)
		return;
	reader->open_at = offset;
	reader->looked = false;
	reader->ours_ns = 0;
}

/* true: the end is reached. */
static bool
read_some(struct kafka_mark_reader *reader, bool *heard, enum bus_answer *answer, struct fault *fault)
{
	bool ended = false, more = true;
	rd_kafka_message_t *record;

	*answer = BUS_AGAIN;
	while (more && (record = rd_kafka_consumer_poll(reader->client, KAFKA_SLICE_MS)) != NULL) {
		*heard = *heard || record->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
			 record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
		if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			ended = take(reader, record);
			more = !ended;
		} else if (record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
			ended = record->offset >= reader->end;
			more = false;
			meet_open(reader, record->offset);
		} else {
			kafka_fault(record->err, reader->topic, rd_kafka_message_errstr(record), fault);
			*answer = fault->class == FAULT_AWAY ? BUS_AGAIN : BUS_LOST;
			rd_kafka_message_destroy(record);
			return false;
		}
		rd_kafka_message_destroy(record);
	}
	if (reader->open_at >= 0)
		fault_set(fault, FAULT_AWAY, "kafka_mark",
			  "%s: a transaction from offset %lld on is open, of this store or another", reader->topic,
			  (long long)reader->open_at);
	else
		fault_set(fault, FAULT_AWAY, "kafka_mark", "%s: the broker gives no record", reader->topic);
	return ended;
}

/* Whose is the record that begins what is open? */
static void
look(struct kafka_mark_reader *reader, rd_kafka_t *desk)
{
	rd_kafka_message_t *record = kafka_record_at(desk, reader->topic, 0, reader->open_at);

	if (record == NULL)
		return;
	reader->looked = true;
	if (record->offset == reader->open_at && record->payload != NULL && is_ours(reader, record)) {
		reader->ours_ns = clock_mono_ns(clock_real());
		buf_clear(&reader->open);
		buf_add(&reader->open, slice_from(record->payload, record->len));
	}
	rd_kafka_message_destroy(record);
}

static bool
hangs(struct kafka_mark_reader *reader, rd_kafka_t *desk)
{
	if (reader->open_at < 0)
		return false;
	if (!reader->looked)
		look(reader, desk);
	return reader->ours_ns != 0 && clock_mono_ns(clock_real()) - reader->ours_ns >= HANGS_NS;
}

struct slice
kafka_mark_open_value(const struct kafka_mark_reader *reader)
{
	return buf_slice(&reader->open);
}

/* What was read, as a mark. */
static enum bus_answer
give(const struct kafka_mark_reader *reader, struct arena *arena, struct bus_mark *mark, struct fault *fault)
{
	struct bus_mark open = { .position = 0 };

	if (reader->newest.failed || reader->open.failed) {
		fault_set(fault, FAULT_CORRUPT, "bad_mark", "the newest mark has more than a MiB");
		return BUS_LOST;
	}
	if ((reader->hangs && kafka_mark_decode(buf_slice(&reader->open), arena, &open, fault) != 0) ||
	    (reader->found && kafka_mark_decode(buf_slice(&reader->newest), arena, mark, fault) != 0))
		return BUS_LOST;
	mark->hangs = reader->hangs;
	mark->hanging = open.position;
	return BUS_DONE;
}

enum bus_answer
kafka_mark_read(struct kafka_mark_reader *reader, rd_kafka_t *desk, struct arena *arena, struct bus_mark *mark,
		bool *heard, struct fault *fault)
{
	enum bus_answer answer;

	if (reader->stage == ASK) {
		answer = kafka_ends(desk, reader->topic, 0, &reader->first, &reader->end, fault);
		if (answer != BUS_DONE)
			return answer;
		reader->stage = reader->end > reader->first ? READ_TAIL : DONE;
		if (reader->stage == READ_TAIL)
			start_at(reader, reader->end - TAIL > reader->first ? reader->end - TAIL : reader->first);
	}
	while (reader->stage == READ_TAIL || reader->stage == READ_ALL) {
		if (!read_some(reader, heard, &answer, fault)) {
			if (answer != BUS_AGAIN || !hangs(reader, desk))
				return answer;
			reader->hangs = true;
			reader->end = reader->open_at;
		}
		if (reader->stage == READ_ALL || reader->newest.failed || reader->found ||
		    reader->end - TAIL <= reader->first) {
			reader->stage = DONE;
		} else {
			reader->stage = READ_ALL;
			start_at(reader, reader->first);
		}
	}
	fault_clear(fault);
	return give(reader, arena, mark, fault);
}
