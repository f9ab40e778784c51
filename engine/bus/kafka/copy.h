/* SPDX-License-Identifier: MIT */
/* A record of the library's as a message of its lane, in memory of the caller's. */
#ifndef MOONLOG_BUS_KAFKA_COPY_H
#define MOONLOG_BUS_KAFKA_COPY_H

#include <librdkafka/rdkafka.h>

#include "bus/kafka/lanes.h"

/* false: no memory. */
bool kafka_copy(const rd_kafka_message_t *from, const struct kafka_lane *lane, struct arena *arena,
		struct source_event *event);

#endif
