/* SPDX-License-Identifier: MIT */
/* The reader asks the brokers by a client of its own, configured here and not by the room that is tested. */
#include "kafka/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

static const char *brokers;
static struct arena names, read_memory;

void
kit_use(const char *address)
{
	brokers = address;
}

const char *
kit_brokers(void)
{
	if (brokers == NULL)
		brokers = getenv("MOONLOG_KAFKA");
	if (brokers == NULL) {
		fprintf(stderr, "MOONLOG_KAFKA is not set: tests/kafka/broker.py with PROGRAM\n");
		exit(2);
	}
	return brokers;
}

const char *
kit_name(const char *stem)
{
	static unsigned count;

	if (names.cap_bytes == 0)
		arena_init(&names, 1 << 20);
	return arena_format(&names, "%s-%lx%lx-%u", stem, (unsigned long)time(NULL), (unsigned long)getpid(), ++count)
		.data;
}

struct kafka_options
kit_options(enum kafka_mode mode, const char *service)
{
	return (struct kafka_options){
		.brokers = slice_text(kit_brokers()),
		.service = slice_text(service),
		.store_id = SLICE("6f0c"),
		.mode = mode,
		.partitions = 4,
		.replication = 1,
	};
}

static void
check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "kit: %s\n", what);
	exit(2);
}

static rd_kafka_t *
client(rd_kafka_type_t type, const char *const settings[][2])
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	check(rd_kafka_conf_set(conf, "bootstrap.servers", kit_brokers(), why, sizeof(why)) == RD_KAFKA_CONF_OK, why);
	for (size_t i = 0; settings[i][0] != NULL; i++)
		check(rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof(why)) == RD_KAFKA_CONF_OK,
		      why);
	rd_kafka_t *made = rd_kafka_new(type, conf, why, sizeof(why));
	check(made != NULL, why);
	return made;
}

static void
keep(struct kit_record *record, const rd_kafka_message_t *message)
{
	rd_kafka_headers_t *headers;
	rd_kafka_timestamp_type_t kind;
	const char *name;
	const void *value;
	size_t size;

	*record = (struct kit_record){
		.partition = message->partition,
		.offset = message->offset,
		.key = arena_copy(&read_memory, slice_from(message->key, message->key_len)),
		.value = arena_copy(&read_memory, slice_from(message->payload, message->len)),
		.tombstone = message->payload == NULL,
		.time_ms = rd_kafka_message_timestamp(message, &kind),
	};
	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	while (record->header_count < 16 && rd_kafka_header_get_all(headers, record->header_count, &name, &value,
								    &size) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		struct message_header *h = &record->headers[record->header_count++];
		h->name = arena_copy(&read_memory, slice_text(name));
		h->value = arena_copy(&read_memory, slice_from(value, size));
	}
}

static int
partitions_of(rd_kafka_t *reader, const char *topic)
{
	const struct rd_kafka_metadata *found;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(reader, topic, NULL);

	check(rd_kafka_metadata(reader, 0, handle, &found, 10000) == RD_KAFKA_RESP_ERR_NO_ERROR, "no metadata");
	int count = found->topics[0].partition_cnt;
	rd_kafka_metadata_destroy(found);
	rd_kafka_topic_destroy(handle);
	return count;
}

size_t
kit_read(const char *topic, bool committed, const struct kit_record **records)
{
	static struct kit_record *all;
	static size_t room;
	size_t count = 0;
	const char *const settings[][2] = {
		{ "group.id", "kit" },
		{ "enable.auto.commit", "false" },
		{ "enable.partition.eof", "true" },
		{ "fetch.wait.max.ms", "20" },
		{ "auto.offset.reset", "earliest" },
		{ "allow.auto.create.topics", "false" },
		{ "isolation.level", committed ? "read_committed" : "read_uncommitted" },
		{ NULL, NULL },
	};
	rd_kafka_t *reader = client(RD_KAFKA_CONSUMER, settings);
	int left = partitions_of(reader, topic);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(left);

	if (read_memory.cap_bytes == 0)
		arena_init(&read_memory, 256 << 20);
	arena_clear(&read_memory);
	for (int i = 0; i < left; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_poll_set_consumer(reader);
	check(rd_kafka_assign(reader, list) == RD_KAFKA_RESP_ERR_NO_ERROR, "assign");
	while (left > 0) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 10000);
		check(message != NULL, "a topic that is not read to its end within 10 s");
		if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
			left--;
		} else {
			check(message->err == RD_KAFKA_RESP_ERR_NO_ERROR, rd_kafka_message_errstr(message));
			if (count == room) {
				room = room == 0 ? 256 : 2 * room;
				all = realloc(all, room * sizeof(*all));
				check(all != NULL, "no memory");
			}
			keep(&all[count++], message);
		}
		rd_kafka_message_destroy(message);
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy_flags(reader, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	*records = all;
	return count;
}

size_t
kit_await(const char *topic, size_t wanted, const struct kit_record **records)
{
	int64_t until = clock_mono_ns(clock_real()) + 10000000000;
	size_t count;

	while ((count = kit_read(topic, true, records)) < wanted && clock_mono_ns(clock_real()) < until)
		;
	return count;
}

bool
kit_wait(bool (*holds)(void *self), void *self, int seconds)
{
	const struct timespec pause = { 0, 5000000 };

	for (time_t end = time(NULL) + seconds + 1; time(NULL) < end; nanosleep(&pause, NULL))
		if (holds(self))
			return true;
	return false;
}

void
kit_topic(const char *topic, int32_t partitions)
{
	struct kafka_options options = kit_options(KAFKA_IDEMPOTENT, "kit");
	struct topic_wanted wanted = { .name = slice_text(topic) };
	struct publisher *publisher;
	struct arena arena;
	struct bus_mark mark;
	struct fault fault = { 0 };

	options.partitions = partitions;
	arena_init(&arena, 4096);
	check(kafka_publisher_open(&options, &publisher, &fault) == 0, fault.text);
	check(publisher_fence(publisher, &fault) == BUS_DONE, fault.text);
	check(publisher_read_mark(publisher, &arena, &mark, &fault) == BUS_DONE, fault.text);
	for (int tries = 0; publisher_topics(publisher, &wanted, 1, &fault) != BUS_DONE; tries++)
		check(tries < 20, fault.text);
	check(wanted.partitions == partitions, "a topic with another number of partitions");
	publisher_close(publisher);
	arena_fini(&arena);
}

static void
note_offset(rd_kafka_t *producer, const rd_kafka_message_t *message, void *self)
{
	(void)producer, (void)self;
	*(int64_t *)message->_private = message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? message->offset : -2;
}

int64_t
kit_send(const char *topic, int32_t partition, const char *key, const char *value)
{
	static rd_kafka_t *producer;
	int64_t offset = -1;

	if (producer == NULL) {
		rd_kafka_conf_t *conf = rd_kafka_conf_new();
		char why[256];
		check(rd_kafka_conf_set(conf, "bootstrap.servers", kit_brokers(), why, sizeof(why)) == 0, why);
		rd_kafka_conf_set_dr_msg_cb(conf, note_offset);
		producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
		check(producer != NULL, why);
	}
	check(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
				RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				RD_KAFKA_V_KEY((void *)(uintptr_t)key, strlen(key)),
				RD_KAFKA_V_VALUE((void *)(uintptr_t)value, strlen(value)), RD_KAFKA_V_OPAQUE(&offset),
				RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR,
	      "produce");
	for (int i = 0; offset == -1 && i < 200; i++)
		rd_kafka_poll(producer, 100);
	check(offset >= 0, "a record that is not delivered");
	return offset;
}

void
kit_trim(const char *topic, int32_t partition, int64_t before)
{
	const char *const settings[][2] = { { NULL, NULL } };
	rd_kafka_t *desk = client(RD_KAFKA_PRODUCER, settings);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(desk);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = before;
	rd_kafka_DeleteRecords_t *what = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(desk, &what, 1, NULL, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
	check(event != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR, "records are not removed");
	rd_kafka_event_destroy(event);
	rd_kafka_DeleteRecords_destroy(what);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(desk);
}

int64_t
kit_committed(const char *group, const char *topic, int32_t partition)
{
	const char *const settings[][2] = { { "group.id", group }, { NULL, NULL } };
	rd_kafka_t *reader = client(RD_KAFKA_CONSUMER, settings);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, topic, partition);
	check(rd_kafka_committed(reader, list, 10000) == RD_KAFKA_RESP_ERR_NO_ERROR, "no committed offset");
	int64_t offset = list->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy_flags(reader, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	return offset;
}
