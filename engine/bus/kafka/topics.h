/* SPDX-License-Identifier: MIT */
/* The desk: a client of its own for questions about topics, with the isolation that shows what is not yet committed. */
#ifndef MOONLOG_BUS_KAFKA_TOPICS_H
#define MOONLOG_BUS_KAFKA_TOPICS_H

#include "bus/kafka/client.h"

/* An entry of the log with its headers and key fits: what was recorded can be sent. More than a broker's default. */
#define KAFKA_MESSAGE_MAX "1200000"

/* What a topic is made with; -1: the broker's default. */
struct kafka_shape {
	int32_t partitions;
	int16_t replication;
	bool compact; /* the newest record of each key is kept for ever */
};

/* `committed`: the ends that it tells are those that one who reads only what is committed comes to. */
rd_kafka_t *kafka_desk(const struct kafka_options *options, bool committed, struct fault *fault);
/* Makes the topic when it is missing and tells its partitions. AGAIN: not known, or not ready yet. LOST: refused. */
enum bus_answer kafka_topic(rd_kafka_t *desk, const char *name, const struct kafka_shape *shape, int32_t *partitions,
			    struct fault *fault);
/* The first offset that is there, and the one that the next record gets. AGAIN: cannot be told now. */
enum bus_answer kafka_ends(rd_kafka_t *desk, const char *topic, int32_t partition, int64_t *first, int64_t *next,
			   struct fault *fault);
/* The record at an offset, committed or not; NULL: it cannot be told now. The caller's (rd_kafka_message_destroy). */
rd_kafka_message_t *kafka_record_at(rd_kafka_t *desk, const char *topic, int32_t partition, int64_t offset);

#endif
