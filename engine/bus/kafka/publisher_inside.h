/* SPDX-License-Identifier: MIT */
/* What the files of the publisher share. All of it is the publisher's thread's, but for what its ending says. */
#ifndef MOONLOG_BUS_KAFKA_PUBLISHER_INSIDE_H
#define MOONLOG_BUS_KAFKA_PUBLISHER_INSIDE_H

#include "base/buf.h"
#include "bus/kafka/ending.h"

#define TOPIC_NAME_MAX 249

enum stage { OPEN, FENCED, READY, BEGUN, ENDING };

struct known_topic {
	char name[TOPIC_NAME_MAX + 1];
	size_t name_size;
	int32_t partitions;
	rd_kafka_topic_t *handle;
	/* While what hangs is ended, of each partition: 0 not looked at, then whether its end is open. May be NULL. */
	enum { UNSEEN, HANGS, ENDED } * ends;
};

struct kafka_publisher {
	struct publisher door;
	const struct kafka_options *options;
	rd_kafka_t *producer;
	rd_kafka_t *desk;
	rd_kafka_t *committed; /* another desk, while what hangs is ended */
	struct kafka_reports reports;
	struct kafka_ending ending;
	struct kafka_patience patience;
	enum stage stage;
	struct kafka_mark_reader *mark_reader;
	char control[TOPIC_NAME_MAX + 1];
	char key[256]; /* of our marks */
	rd_kafka_topic_t *control_topic;
	struct known_topic *topics;
	size_t topic_count, topic_room;
	size_t last_topic; /* of the last message sent */
	unsigned sends;
	bool denied;      /* a topic refused us */
	bool resumed;     /* a transaction's end is not sure: see KAFKA_END_MS, and settle */
	bool undoing;     /* what hangs is being ended */
	struct buf value; /* a mark being written; the one that hangs, until it is ended */
};

static inline struct kafka_publisher *
kafka_inside(struct publisher *publisher)
{
	return container_of(publisher, struct kafka_publisher, door);
}

/* ---- publisher.c ---- */

/* NULL: publisher_topics was not asked for it. */
struct known_topic *kafka_find_topic(struct kafka_publisher *p, struct slice name);
enum bus_answer kafka_put(struct kafka_publisher *p, rd_kafka_topic_t *topic, int32_t partition,
			  const struct message *message, struct fault *fault);

/* ---- hanging.c ---- */

enum bus_answer kafka_end_hanging(struct publisher *publisher, enum bus_hanging which, const struct message *messages,
				  size_t count, bool last, struct fault *fault);
/* Forgets what was looked at for it. */
void kafka_end_looking(struct kafka_publisher *p);

#endif
