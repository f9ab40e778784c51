/* SPDX-License-Identifier: MIT */
/* What the suites of the Kafka room share: options, names that no other test has, and a reader that is not ours. */
#ifndef MOONLOG_TESTS_KAFKA_KIT_H
#define MOONLOG_TESTS_KAFKA_KIT_H

#include <librdkafka/rdkafka.h>

#include "bus/kafka/kafka.h"

/* Of MOONLOG_KAFKA, else of what kit_use says. */
const char *kit_brokers(void);
void kit_use(const char *brokers);
/* "<stem>-<process>-<n>", another at each call, kept until the process ends. */
const char *kit_name(const char *stem);
struct kafka_options kit_options(enum kafka_mode mode, const char *service);

struct kit_record {
	int32_t partition;
	int64_t offset;
	struct slice key, value;
	bool tombstone;
	struct message_header headers[16];
	size_t header_count;
	int64_t time_ms;
};

/* All records of a topic up to its end (to the open transactions when only `committed` ones), by partition and offset
 * as they come. Lives until the next call. */
size_t kit_read(const char *topic, bool committed, const struct kit_record **records);
/*
 * Committed records, once there are so many (for at most 10 s): the broker answers the end of a transaction before its
 * partitions have their markers, and until then a reader comes to the end without them.
 */
size_t kit_await(const char *topic, size_t wanted, const struct kit_record **records);
/* Polls a condition until it holds, at most `seconds`. */
bool kit_wait(bool (*holds)(void *self), void *self, int seconds);
/* Makes a topic through the publisher's room. */
void kit_topic(const char *topic, int32_t partitions);
/* Sends one record outside of any transaction. Gives its offset. */
int64_t kit_send(const char *topic, int32_t partition, const char *key, const char *value);
/* Removes the records before an offset, as retention does. */
void kit_trim(const char *topic, int32_t partition, int64_t before);
/* What a group has committed; -1001: nothing. */
int64_t kit_committed(const char *group, const char *topic, int32_t partition);

#endif
